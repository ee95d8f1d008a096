"""What sessions do in a run: plan their commands, call their functions, share processors and secrets.

How a plan is carried out, and how the exit code is computed, is in :mod:`setlist.engine.execute`. It may import
:mod:`setlist.lock` and what lies below it. The door is :func:`setlist.runner.run_plan.run`.
"""
