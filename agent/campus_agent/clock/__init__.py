"""What time it is: `clock` corrects the system's clock, `kernel_clock` asks the kernel whether it is kept."""
