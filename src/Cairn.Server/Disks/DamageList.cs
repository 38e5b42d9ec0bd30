using Cairn.Protocol.Peers;
using Cairn.Storage;
using Cairn.Storage.Revisions;
using Google.Protobuf;

namespace Cairn.Server.Disks;

/// <summary>Knows which segments are damaged, until they are healed, and gives other members the records that they lack. Any thread; one lock.</summary>
/// <remarks>A request that meets a damaged record fails; nothing is made up for it, and everything else is served.</remarks>
/// <param name="node">The node.</param>
internal sealed class DamageList(NodeRuntime node)
{
    /// <summary>Path of the question for a record.</summary>
    public const string Path = "/cairn/record";

    private readonly Lock _lock = new();
    private readonly SortedDictionary<uint, string> _segments = [];

    /// <summary>Notes damage. What is no record of a segment is not healed one by one: the member fetches its store again, or ends if there is nobody to fetch it from.</summary>
    /// <param name="damage">What a reader met.</param>
    public void Note(Exception damage)
    {
        var path = damage switch
        {
            CorruptionException corruption => corruption.Path,
            DiskException failure => failure.Path,
            _ => "",
        };
        if (!RevisionLog.TryIdentify(path, out var segment))
        {
            GiveUp(damage);
            return;
        }

        bool isNew;
        lock (_lock)
        {
            isNew = _segments.TryAdd(segment, damage.Message);
        }

        if (isNew)
        {
            node.Logger.DamageFound(damage.Message);
            node.Housekeeping.Wake();
        }
    }

    private void GiveUp(Exception damage)
    {
        if (damage is CorruptionException && node.World.Calls is not null && node.View.Members.Members.Length > 1)
        {
            node.Hashes.Aside.Begin(damage.Message, []);
        }
        else
        {
            node.Fail(damage);
        }
    }

    /// <summary>Notes that a segment is gone, all that was needed of it being elsewhere.</summary>
    /// <param name="segment">Which.</param>
    public void Healed(uint segment)
    {
        lock (_lock)
        {
            _segments.Remove(segment);
        }
    }

    /// <summary>Lists the damaged segments.</summary>
    /// <returns>A copy.</returns>
    public uint[] List()
    {
        lock (_lock)
        {
            return [.. _segments.Keys];
        }
    }

    /// <summary>Says what is damaged.</summary>
    /// <returns>The first damage, with file and offset; null if there is none.</returns>
    public string? Describe()
    {
        lock (_lock)
        {
            return _segments.Values.FirstOrDefault();
        }
    }

    /// <summary>Answers another member that lacks a record.</summary>
    /// <param name="request">Which.</param>
    /// <returns>The record, if it is here and sound.</returns>
    public RecordAnswer Answer(RecordRequest request)
    {
        var wanted = new Revision(request.Main, request.Sub);
        try
        {
            var reader = node.View.ReadHistory(wanted);
            return reader.MoveNext() && reader.Revision == wanted
                ? new RecordAnswer { Found = true, Payload = ByteString.CopyFrom(reader.Payload) }
                : new RecordAnswer();
        }
        catch (CorruptionException damage)
        {
            Note(damage);
            return new RecordAnswer();
        }
    }
}
