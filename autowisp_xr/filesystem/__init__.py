"""What is asked of file systems: addresses, locks, room on a disk, TOML files of users."""
