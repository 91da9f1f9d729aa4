"""The platform's own interface (v2): full-archive search by calls, as a place that delivers pages."""
