using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using Cairn.Raft;
using Cairn.Raft.Wire;

namespace Cairn.Tests.Raft.Scripts;

/// <summary>Prints the core's values as etcd-io/raft prints them in its tests.</summary>
internal static class RaftText
{
    public static string Of(Ready ready)
    {
        var text = new StringBuilder();
        if (ready.SoftState is { } softState)
        {
            text.Append(CultureInfo.InvariantCulture, $"Lead:{softState.Leader} State:State{softState.Role}\n");
        }

        if (!ready.HardState.IsEmpty)
        {
            text.Append(CultureInfo.InvariantCulture, $"HardState {Of(ready.HardState)}\n");
        }

        if (!ready.ReadStates.IsEmpty)
        {
            text.Append("ReadStates [").AppendJoin(' ', ready.ReadStates.Select(Of)).Append("]\n");
        }

        if (!ready.Entries.IsEmpty)
        {
            text.Append("Entries:\n").Append(Of(ready.Entries));
        }

        if (ready.Snapshot is { } snapshot)
        {
            text.Append(CultureInfo.InvariantCulture, $"Snapshot {Of(snapshot)}\n");
        }

        if (!ready.CommittedEntries.IsEmpty)
        {
            text.Append("CommittedEntries:\n").Append(Of(ready.CommittedEntries));
        }

        if (!ready.Messages.IsEmpty)
        {
            text.Append("Messages:\n").AppendJoin(string.Empty, ready.Messages.Select(message => Of(message) + "\n"));
        }

        return text.Length == 0 ? "<empty Ready>" : $"Ready MustSync={(ready.MustSync ? "true" : "false")}:\n{text}";
    }

    public static string Of(Message message, string indent = "")
    {
        var text = new StringBuilder(indent);
        text.Append(CultureInfo.InvariantCulture, $"{Address(message.From)}->{Address(message.To)} Msg{message.Type} ");
        text.Append(CultureInfo.InvariantCulture, $"Term:{message.Term} Log:{message.LogTerm}/{message.Index}");
        text.Append(message.Reject ? $" Rejected (Hint: {message.RejectHint})" : string.Empty);
        text.Append(message.Commit != 0 ? $" Commit:{message.Commit}" : string.Empty);
        text.Append(message.Vote != 0 ? $" Vote:{message.Vote}" : string.Empty);
        AppendEntries(text, message.Entries.Span, indent);
        if (message.Snapshot is { IsEmpty: false } snapshot)
        {
            text.Append(CultureInfo.InvariantCulture, $"\n{indent}  Snapshot: {Of(snapshot)}");
        }

        if (!message.Responses.IsEmpty)
        {
            text.Append(" Responses:[");
            text.AppendJoin(string.Empty, message.Responses.Select(response => "\n" + Of(response, indent + "  ")));
            text.Append(CultureInfo.InvariantCulture, $"\n{indent}]");
        }

        return text.ToString();
    }

    public static string Of(ReadOnlyMemory<Entry> entries)
    {
        var text = new StringBuilder();
        foreach (ref readonly var entry in entries.Span)
        {
            text.Append(Of(entry)).Append('\n');
        }

        return text.ToString();
    }

    public static string Of(in Entry entry)
    {
        var data = entry.Type switch
        {
            EntryType.ConfChange => ConfChangeWire.TryRead(entry.Data, out var older) ? Steps(older.AsV2().Changes) : "unreadable",
            EntryType.ConfChangeV2 => ConfChangeV2Wire.TryRead(entry.Data, out var newer) ? Steps(newer!.Changes) : "unreadable",
            _ => Quoted(entry.Data.Span),
        };
        return $"{entry.Term}/{entry.Index} Entry{entry.Type}{(data.Length > 0 ? " " : string.Empty)}{data}";
    }

    /// <summary>Reads configuration changes: <c>v1 l2 r3 u4</c> for voter, learner, remove, update. Null where one is malformed.</summary>
    public static ImmutableArray<ConfChangeSingle>? ParseSteps(string text)
    {
        var steps = ImmutableArray.CreateBuilder<ConfChangeSingle>();
        foreach (var word in text.Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries))
        {
            var type = "vrul".IndexOf(word[0], StringComparison.Ordinal);
            if (type < 0 || !ulong.TryParse(word[1..], CultureInfo.InvariantCulture, out var id))
            {
                return null;
            }

            steps.Add(new ConfChangeSingle((ConfChangeType)type, id));
        }

        return steps.ToImmutable();
    }

    private static void AppendEntries(StringBuilder text, ReadOnlySpan<Entry> entries, string indent)
    {
        if (entries.Length == 1)
        {
            text.Append(CultureInfo.InvariantCulture, $" Entries:[{Of(entries[0])}]");
        }
        else if (entries.Length > 1)
        {
            text.Append(" Entries:[");
            foreach (ref readonly var entry in entries)
            {
                text.Append(CultureInfo.InvariantCulture, $"\n{indent}  {Of(entry)}");
            }

            text.Append(CultureInfo.InvariantCulture, $"\n{indent}]");
        }
    }

    private static string Of(HardState state) =>
        $"Term:{state.Term}{(state.Vote != 0 ? $" Vote:{state.Vote}" : string.Empty)} Commit:{state.Commit}";

    private static string Of(ReadState state) => $"{{{state.Index} {Quoted(state.Context.Span)}}}";

    private static string Of(Snapshot snapshot) => $"Index:{snapshot.Index} Term:{snapshot.Term} ConfState:{Of(snapshot.Metadata.ConfState)}";

    private static string Of(ConfState state) =>
        $"Voters:{List(state.Voters)} VotersOutgoing:{List(state.VotersOutgoing)} Learners:{List(state.Learners)} "
        + $"LearnersNext:{List(state.LearnersNext)} AutoLeave:{(state.AutoLeave ? "true" : "false")}";

    private static string List(ImmutableArray<ulong> ids) => $"[{string.Join(' ', ids)}]";

    private static string Steps(ImmutableArray<ConfChangeSingle> steps) =>
        string.Join(' ', steps.Select(step => $"{"vrul"[(int)step.Type]}{step.MemberId}"));

    private static string Address(ulong id) => id switch
    {
        LocalTarget.None => "None",
        LocalTarget.AppendThread => "AppendThread",
        LocalTarget.ApplyThread => "ApplyThread",
        _ => id.ToString("x", CultureInfo.InvariantCulture),
    };

    private static string Quoted(ReadOnlySpan<byte> data)
    {
        var text = new StringBuilder("\"");
        foreach (var b in data)
        {
            text.Append(b switch
            {
                (byte)'"' => "\\\"",
                (byte)'\\' => "\\\\",
                >= 0x20 and < 0x7F => ((char)b).ToString(),
                _ => string.Create(CultureInfo.InvariantCulture, $"\\x{b:x2}"),
            });
        }

        return text.Append('"').ToString();
    }
}
