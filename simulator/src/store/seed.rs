pub struct SeededJobs;
