using System.Globalization;

namespace Cairn.Server.Metrics;

/// <summary>Puts counters and gauges together under etcd's names. Source: etcd /metrics.</summary>
internal static class MetricsReport
{
    private const string RangeHelp = "Seconds that a range took to be read.";

    /// <summary>Collects.</summary>
    /// <param name="node">The node.</param>
    /// <param name="status">Where it stands.</param>
    /// <returns>One sample a series.</returns>
    public static List<MetricSample> Collect(NodeRuntime node, NodeStatus status)
    {
        var samples = new List<MetricSample>();
        AddServer(samples, node, status);
        AddStorage(samples, node, status);
        AddHistory(samples, node, status);
        AddLeases(samples, node.Metrics);
        AddHealing(samples, node);
        AddPeers(samples, node);
        node.Metrics.Sent.AddTo(samples);
        node.Metrics.Received.AddTo(samples);
        return samples;
    }

    private static void AddServer(List<MetricSample> samples, NodeRuntime node, NodeStatus status)
    {
        var metrics = node.Metrics;
        samples.Add(new MetricSample("etcd_server_id", MetricKind.Gauge, "Which member this is: 1 for its id.", 1)
        {
            Labels = [new("server_id", node.Headers.MemberId.ToString("x", CultureInfo.InvariantCulture))],
        });
        Gauge(samples, "etcd_server_has_leader", "Whether a leader is known.", status.LeaderId != 0 ? 1 : 0);
        Gauge(samples, "etcd_server_is_leader", "Whether this member leads.", status.IsLeader ? 1 : 0);
        Gauge(samples, "etcd_server_is_learner", "Whether this member is a learner.", status.IsLearner ? 1 : 0);
        Count(samples, "etcd_server_leader_changes_seen_total", "Leader changes seen.", metrics.LeaderChanges);
        Gauge(samples, "etcd_server_proposals_committed_total", "Highest committed index.", status.CommittedIndex);
        Gauge(samples, "etcd_server_proposals_applied_total", "Highest applied index.", status.AppliedIndex);
        Gauge(samples, "etcd_server_proposals_pending", "Proposals that somebody waits for.", node.Proposals.Count);
        Count(samples, "etcd_server_proposals_failed_total", "Proposals that failed.", metrics.ProposalsFailed);
        Count(samples, "etcd_server_slow_apply_total", "Requests that took longer than --warning-apply-duration.", metrics.SlowApplies);
        Count(samples, "etcd_server_slow_read_indexes_total", "Read rounds that had to be asked again.", metrics.SlowReadIndexes);
        Count(samples, "etcd_server_read_indexes_failed_total", "Read rounds that failed.", metrics.FailedReadIndexes);
        Count(samples, "etcd_server_heartbeat_send_failures_total", "Heartbeats that left late.", metrics.Heartbeats.Late);
        Count(samples, "etcd_server_learner_promote_successes", "Learners that this member promoted, as leader.", metrics.Promotions);
        metrics.Applies.AddTo(samples);
        samples.Add(metrics.RangesRefused.Sample("etcd_server_range_duration_seconds", RangeHelp) with { Labels = [new("success", "false")] });
        samples.Add(metrics.RangesRead.Sample("etcd_server_range_duration_seconds", RangeHelp) with { Labels = [new("success", "true")] });
        foreach (var alarm in node.View.Alarms.All)
        {
            samples.Add(new MetricSample("etcd_debugging_server_alarms", MetricKind.Gauge, "Alarms that are raised.", 1)
            {
                Labels = [new("alarm_type", alarm.Kind.ToString().ToUpperInvariant()), new("server_id", alarm.MemberId.ToString("x", CultureInfo.InvariantCulture))],
            });
        }

        Gauge(samples, "etcd_server_snapshot_apply_in_progress_total", "States that are being received and installed.", metrics.Received.InFlight);
        Gauge(samples, "etcd_debugging_auth_revision", "Changes of users, roles and permissions.", node.View.Auth.Revision);
        Gauge(samples, "etcd_server_quota_backend_bytes", "Limit of what lives and is retained.", status.QuotaBytes);
    }

    private static void AddStorage(List<MetricSample> samples, NodeRuntime node, NodeStatus status)
    {
        samples.Add(node.Metrics.WalSync.Sample("etcd_disk_wal_fsync_duration_seconds", "Seconds until a batch of the log was durable."));
        samples.Add(node.Metrics.StateSync.Sample("etcd_disk_backend_commit_duration_seconds", "Seconds until state was durable, in the background."));
        samples.Add(node.Metrics.Reclaims.Sample("etcd_disk_backend_defrag_duration_seconds", "Seconds that it took to reclaim space on request."));
        samples.Add(node.Metrics.Saves.Sample("etcd_disk_backend_snapshot_duration_seconds", "Seconds that a saved state took to be streamed."));
        Gauge(samples, "etcd_disk_wal_write_bytes_total", "Bytes written to the log.", node.Metrics.WrittenLogBytes);
        Gauge(samples, "etcd_disk_defrag_inflight", "Whether the member stands still to reclaim space; it never does.", 0);
        Gauge(samples, "cairn_data_dir_ephemeral", "Whether the data directory ends with its container, or with the machine's memory.", node.Disks.IsEphemeral ? 1 : 0);
        Gauge(samples, "etcd_mvcc_db_total_size_in_bytes", "Bytes on disk, garbage included.", status.DatabaseBytes);
        Gauge(samples, "etcd_mvcc_db_total_size_in_use_in_bytes", "Bytes that live and are retained.", status.DatabaseBytesInUse);
    }

    private static void AddHistory(List<MetricSample> samples, NodeRuntime node, NodeStatus status)
    {
        var metrics = node.Metrics;
        Count(samples, "etcd_mvcc_put_total", "Puts.", metrics.Puts);
        Count(samples, "etcd_mvcc_range_total", "Ranges.", metrics.Ranges);
        Count(samples, "etcd_debugging_mvcc_range_total", "Ranges.", metrics.Ranges);
        Count(samples, "etcd_mvcc_txn_total", "Transactions.", metrics.Txns);
        Count(samples, "etcd_mvcc_delete_total", "Deletes.", metrics.Deletes);
        Gauge(samples, "etcd_debugging_mvcc_current_revision", "Revision of the store.", status.Revision);
        Gauge(samples, "etcd_debugging_mvcc_compact_revision", "Revision below which history is gone.", Math.Max(status.CompactedRevision, 0));
        Gauge(samples, "etcd_debugging_mvcc_keys_total", "Keys.", node.View.LiveKeys);
        Gauge(samples, "etcd_debugging_mvcc_watcher_total", "Watchers.", node.Hub.WatcherCount);
        Gauge(samples, "etcd_debugging_mvcc_watch_stream_total", "Watch streams.", node.Hub.StreamCount);
        Gauge(samples, "etcd_debugging_mvcc_slow_watcher_total", "Watchers that still have history to read.", node.Hub.CountBehind());
        Gauge(samples, "etcd_debugging_mvcc_pending_events_total", "Bytes of recent changes kept for watchers.", node.Hub.Ring.Bytes);
        Count(samples, "etcd_debugging_mvcc_events_total", "Events.", metrics.Events);
        Gauge(samples, "etcd_debugging_mvcc_total_put_size_in_bytes", "Bytes of rows that were put.", metrics.PutBytes.Value);
        samples.Add(metrics.Hashes.Sample("etcd_mvcc_hash_duration_seconds", "Seconds that hashing everything took."));
        samples.Add(metrics.RevisionHashes.Sample("etcd_mvcc_hash_rev_duration_seconds", "Seconds that hashing up to a revision took."));
        metrics.Compactions.AddTo(samples);
    }

    private static void AddLeases(List<MetricSample> samples, ServerMetrics metrics)
    {
        Count(samples, "etcd_debugging_lease_granted_total", "Leases granted.", metrics.LeasesGranted);
        Count(samples, "etcd_debugging_lease_revoked_total", "Leases revoked.", metrics.LeasesRevoked);
        Count(samples, "etcd_debugging_lease_renewed_total", "Renewals.", metrics.LeasesRenewed);
        samples.Add(metrics.LeaseTtl.Sample("etcd_debugging_lease_ttl_total", "Seconds that leases were granted for."));
        Count(samples, "etcd_debugging_server_lease_expired_total", "Leases found to have ended.", metrics.LeasesExpired);
    }

    private static void AddPeers(List<MetricSample> samples, NodeRuntime node)
    {
        var localId = node.Headers.MemberId;
        foreach (var member in node.View.Members.Members.Where(member => member.Id != localId))
        {
            samples.Add(new MetricSample("etcd_network_known_peers", MetricKind.Gauge, "Other members that this one knows.", 1)
            {
                Labels = [new("Local", localId.ToString("x", CultureInfo.InvariantCulture)), new("Remote", member.Id.ToString("x", CultureInfo.InvariantCulture))],
            });
        }

        node.Metrics.Peers.AddTo(samples, localId);
    }

    private static void AddHealing(List<MetricSample> samples, NodeRuntime node)
    {
        var (healing, members) = (node.View.Healing, node.View.Members.Members);
        Gauge(samples, "cairn_heal_in_progress", "Heals under way in the cluster.", healing.Current is null ? 0 : 1);
        Gauge(samples, "cairn_heal_waiting", "Things that healing sees and waits for, on the leader.", node.Healer.Notices.Count);
        Count(samples, "cairn_heal_begun_total", "Heals that this member began, as leader.", node.Metrics.HealsBegun);
        Count(samples, "cairn_heal_done_total", "Heals that this member brought to a good end, as leader.", node.Metrics.HealsDone);
        Count(samples, "cairn_heal_given_up_total", "Heals that this member gave up, as leader.", node.Metrics.HealsGivenUp);
        Gauge(samples, "cairn_cluster_target_size", "Members that the cluster is meant to have; 0 while unknown.", healing.TargetSize);
        Gauge(samples, "cairn_cluster_members", "Members that the cluster has, learners included.", members.Length);
        Gauge(samples, "cairn_cluster_standbys", "Spare learners among them.", members.Count(static member => member.IsStandby));
    }

    private static void Gauge(List<MetricSample> samples, string name, string help, double value) =>
        samples.Add(new MetricSample(name, MetricKind.Gauge, help, value));

    private static void Count(List<MetricSample> samples, string name, string help, Counter counter) =>
        samples.Add(new MetricSample(name, MetricKind.Counter, help, counter.Value));
}
