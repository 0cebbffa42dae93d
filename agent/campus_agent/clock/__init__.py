"""The system's clock: `clock` corrects it by the collector's time, `kernel_clock` asks the kernel whether a time service keeps it."""
