"""Review queues: the rows of a job that want a human, handed out so that no two moderators get the same one."""
