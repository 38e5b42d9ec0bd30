namespace Cairn.Server.Metrics;

/// <summary>Measures how compactions are carried out: in steps, between which entries are applied. Written by the apply loop, read by any thread.</summary>
/// <remarks>Names and buckets. Source: etcd server/mvcc/metrics.go. Index and rows are swept in the same steps here.</remarks>
internal sealed class CompactionMetrics
{
    private readonly Histogram _indexPauses = new(first: 0.5, buckets: 14);
    private readonly Histogram _pauses = new(first: 1, buckets: 13);
    private readonly Histogram _durations = new(first: 100, buckets: 14);
    private long _began;
    private long _dropped;
    private long _lastEnd;

    /// <summary>Notes a step, which ends now.</summary>
    /// <param name="time">The clock.</param>
    /// <param name="began">When it began.</param>
    /// <param name="isLast">Whether the compaction is carried out with it.</param>
    /// <param name="dropped">Versions dropped since the process began.</param>
    public void NoteStep(TimeProvider time, long began, bool isLast, long dropped)
    {
        var pause = time.GetElapsedTime(began).TotalMilliseconds;
        _indexPauses.Observe(pause);
        _pauses.Observe(pause);
        Volatile.Write(ref _dropped, dropped);
        _began = _began == 0 ? began : _began;
        if (isLast)
        {
            _durations.Observe(time.GetElapsedTime(_began).TotalMilliseconds);
            _began = 0;
            Volatile.Write(ref _lastEnd, time.GetUtcNow().ToUnixTimeSeconds());
        }
    }

    /// <summary>Reads the metrics.</summary>
    /// <param name="samples">Receives them.</param>
    public void AddTo(List<MetricSample> samples)
    {
        const string Prefix = "etcd_debugging_mvcc_";
        samples.Add(_indexPauses.Sample(Prefix + "index_compaction_pause_duration_milliseconds", "Milliseconds of one step of a compaction."));
        samples.Add(_pauses.Sample(Prefix + "db_compaction_pause_duration_milliseconds", "Milliseconds of one step of a compaction."));
        samples.Add(_durations.Sample(Prefix + "db_compaction_total_duration_milliseconds", "Milliseconds of a whole compaction."));
        samples.Add(new MetricSample(Prefix + "db_compaction_last", MetricKind.Gauge, "Unix time at which the last compaction was carried out; 0 before the first.", Volatile.Read(ref _lastEnd)));
        samples.Add(new MetricSample(Prefix + "db_compaction_keys_total", MetricKind.Counter, "Versions of keys that compactions have dropped.", Volatile.Read(ref _dropped)));
    }
}
