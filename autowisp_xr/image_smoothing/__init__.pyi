from .binning import bin_image as bin_image
from .filters import WrapFilterAsSmoother as WrapFilterAsSmoother
from .image import SmoothModel as SmoothModel
from .separable import PolynomialImageSmoother as PolynomialImageSmoother
from .separable import SplineImageSmoother as SplineImageSmoother
from .smoother import ChainSmoother as ChainSmoother
from .smoother import ImageSmoother as ImageSmoother
from .zooming import zoom_image as zoom_image
