"""The tables every order touches as lines of COPY, written row by row by straight code.

Of what hardly any row says, a batch names the columns only where a row of it says something: they
are NULL by themselves.
"""
