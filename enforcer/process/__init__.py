"""What a process is besides its work: time, processors, memory, log lines, figures, background jobs."""
