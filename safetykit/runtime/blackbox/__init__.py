"""The black box: every frame on disk, chained by hash; verified, shown, replayed and exported from there.

The `recorder` process drains the ring through the `writer` into segment files; everything else reads these.
"""
