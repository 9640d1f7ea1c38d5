"""Who is it: authenticators that turn what a request carries into the subjects it speaks for.

Deny by default: whoever no authenticator knows is refused. A further way in (JWT) is one more authenticator in the list
that ``services.auth.authentication.Authentication`` walks.
"""
