"""The door for machines: orders in and out, fast, over signed HTTP requests.

It decides from memory what memory can know for sure, and asks for the rest; what an order is and
what is right about it is told by the same code as at the API's door (`portal.orders`).
"""
