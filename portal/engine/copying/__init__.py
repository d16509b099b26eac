"""The tables every order touches as lines of COPY, written row by row by straight code.

Of what hardly any row says, a batch names the columns only where a row of it says something: they
are NULL by themselves. `portal.engine.columns` writes any table, at several times the cost.
Compiled by mypyc where a C compiler is there, with the same results.
"""
