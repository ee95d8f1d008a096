# /// script
# dependencies = ["delta"]
# ///
print("a script")
