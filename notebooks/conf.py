"""How the manual is built: ``python -m sphinx notebooks OUT`` (``pip install '.[docs]'``)."""

from importlib.metadata import version as version_of

project = "autowisp_xr"
author = "the authors of autowisp_xr"
release = version = version_of("autowisp-xr")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.napoleon",
    "sphinx_autosummary_accessors",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["_build", "generated/*.pyi"]
html_theme = "furo"
html_title = "autowisp_xr"
html_show_copyright = False
html_static_path = ["images"]

# pages are built from notebooks without outputs; they are kept so in git
nb_execution_mode = "cache"
nb_execution_timeout = 600
nb_execution_raise_on_error = True
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_numpy_docstring = True
napoleon_google_docstring = False
napoleon_use_rtype = False
