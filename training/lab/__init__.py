"""``parley-train lab``: the argument from the plain recurrent network to the Transformer, measured.

Each file has one idea: ``rungs`` what is compared, ``strings``, ``texts``, ``gradients`` and
``costs`` what is measured, ``findings`` what follows from the numbers, ``plots`` and ``report`` how
it is told. Nothing here is imported by training itself.
"""
