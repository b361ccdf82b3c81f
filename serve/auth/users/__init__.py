"""Who may ask: names, password hashes, roles and scopes."""

from serve.auth.users.accounts import NAME, User, Users
from serve.auth.users.roles import BUILT_IN, Role, reach
from serve.auth.users.scopes import ALL_SCOPES, Scope

__all__ = ["ALL_SCOPES", "BUILT_IN", "NAME", "Role", "Scope", "User", "Users", "reach"]
