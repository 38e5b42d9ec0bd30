// The tests measure nothing, but many of them keep both cores busy: one after another, each has its whole patience for itself.
[assembly: Xunit.CollectionBehavior(DisableTestParallelization = true)]
