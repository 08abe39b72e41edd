"""Many users and many machines: measurements, and files for Slurm and Kubernetes."""
