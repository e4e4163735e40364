"""An auth gateway for mini-programs (小程序): it logs them in and tells services who calls."""

__version__ = "0.1.0"
