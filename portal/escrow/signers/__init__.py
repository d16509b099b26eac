"""Who signs for the platform: keys from the settings (demo), an encrypted keystore, or a remote
signer. Nothing outside this package sees a key.
"""
