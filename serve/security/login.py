"""From a name and a password to a token."""

from serve.errors import BadCredentials, ScopeRefused
from serve.security.passwords import Passwords
from serve.security.tokens import Issued, Tokens
from serve.users import Scope, Users


class Login:
    """Recognises users. Blocks for the time of a password hash: call it in a thread."""

    def __init__(self, users: Users, passwords: Passwords, tokens: Tokens) -> None:
        self._users = users
        self._passwords = passwords
        self._tokens = tokens

    def grant(self, name: str, password: str, scope: str) -> Issued:
        """
        A token with the scopes that were asked for, or with all that the user has.

        Raises:
            BadCredentials: The name and the password do not belong together.
            ScopeRefused: More was asked for than the user has.
        """
        user = self._users.find(name)
        if not self._passwords.verify(password, user.password_hash if user else None) or user is None:
            raise BadCredentials
        asked = scope.split()
        if not set(asked) <= user.scopes:
            raise ScopeRefused("more scope was asked for than the user has")
        return self._tokens.issue(user.name, map(Scope, asked) if asked else user.scopes)
