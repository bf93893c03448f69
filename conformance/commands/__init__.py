"""The commands of ``qparity``, one a file; each adds itself to the parser."""
