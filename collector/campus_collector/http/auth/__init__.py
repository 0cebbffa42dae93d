"""Who a request comes from, and what that person or agent may read and change."""
