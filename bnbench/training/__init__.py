"""Training: studies, their tuning, the engines that train and the executors that run them."""
