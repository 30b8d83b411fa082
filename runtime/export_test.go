package runtime

// OnBuildStep makes f be called behind each commit of a state version that is being built.
func OnBuildStep(o *Options, f func()) { o.onBuildStep = f }
