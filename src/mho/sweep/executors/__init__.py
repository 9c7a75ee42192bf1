"""Where tasks are computed: in this process, in processes beside it, or on a Ray cluster."""
