"""What is judged of HTTP before and after there is a request."""
