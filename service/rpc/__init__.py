"""The gRPC door: `server` assembles it, `servicer` answers, `status` translates errors.

This file imports nothing on purpose: the generated stubs live beneath it, in `pb`, and a client
that imports a stub should not load a server.
"""
