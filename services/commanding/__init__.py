"""Load, enforce, decide, append: what every edge calls and nothing else.

``Commanding`` is the one door (``services.commanding.commanding``); its bounds are in ``services.commanding.limits``.
"""
