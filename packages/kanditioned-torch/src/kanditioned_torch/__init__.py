from .functional import spline_forward
