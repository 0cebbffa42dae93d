"""People: how they prove who they are, what they may read and change, and their sessions."""
