from .facts import Camera as Camera
