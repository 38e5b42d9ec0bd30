using System.Globalization;
using System.Text;
using Cairn.Raft;
using Xunit;

namespace Cairn.Tests.Raft.Scripts;

/// <summary>A cluster that does what a script says, step by step, with one list of messages on their way.</summary>
/// <remarks>Source of the language: etcd-io/raft, rafttest.</remarks>
internal sealed class ScriptCluster
{
    private readonly ScriptOutput _output = new();
    private readonly List<ScriptNode> _nodes = [];
    private List<Message> _messages = [];

    public string Run(ScriptDirective directive)
    {
        _output.Clear();
        var error = Dispatch(directive);
        if (error is not null && _output.IsQuiet)
        {
            return error;
        }

        _output.Print(error ?? string.Empty);
        return _output.IsEmpty ? "ok" : _output.ToString();
    }

    private string? Dispatch(ScriptDirective directive) => directive.Command switch
    {
        "add-nodes" => AddNodes(directive),
        "campaign" => OnNode(directive, node => node.Raft.Campaign()),
        "compact" => Compact(directive),
        "deliver-msgs" => DeliverMessages(directive),
        "process-ready" => OnEach(directive, "handling Ready", ProcessReady),
        "process-append-thread" => OnEach(directive, "processing append thread", ProcessAppendThread),
        "process-apply-thread" => OnEach(directive, "processing apply thread", ProcessApplyThread),
        "log-level" => SetLevel(directive.Arguments[0].Key),
        "raft-log" => PrintLog(_nodes[directive.NodePlaces.First()]),
        "raft-state" => PrintStates(),
        "set-randomized-election-timeout" => OnNode(directive, node => node.Raft.Core.RandomizedElectionTicks = Number(directive, "timeout")),
        "stabilize" => Stabilize(directive),
        "status" => OnNode(directive, PrintStatus),
        "tick-election" => OnNode(directive, node => Tick(node, node.Config.ElectionTicks)),
        "tick-heartbeat" => OnNode(directive, node => Tick(node, node.Config.HeartbeatTicks)),
        "transfer-leadership" => TransferLeadership(directive),
        "forget-leader" => OnNode(directive, node => node.Raft.ForgetLeader()),
        "send-snapshot" => SendSnapshot(directive),
        "propose" => ErrorText(_nodes[Place(directive)].Raft.Propose(Encoding.UTF8.GetBytes(directive.Arguments[1].Key))),
        "propose-conf-change" => ProposeConfChange(directive),
        "report-unreachable" => ReportUnreachable(directive),
        _ => "unknown command",
    };

    private static int Place(ScriptDirective directive) => int.Parse(directive.Arguments[0].Key, CultureInfo.InvariantCulture) - 1;

    private static int Number(ScriptDirective directive, string key) => int.Parse(directive.Require(key), CultureInfo.InvariantCulture);

    private static string? ErrorText(RaftError error) => error switch
    {
        RaftError.None => null,
        RaftError.ProposalDropped => "raft proposal dropped",
        RaftError.LocalMessage => "raft: cannot step raft local message",
        RaftError.PeerNotFound => "raft: cannot step as peer not found",
        _ => error.ToString(),
    };

    private static void Tick(ScriptNode node, int ticks)
    {
        for (var i = 0; i < ticks; i++)
        {
            node.Raft.Tick();
        }
    }

    private string? OnNode(ScriptDirective directive, Action<ScriptNode> action)
    {
        action(_nodes[Place(directive)]);
        return null;
    }

    private string? OnEach(ScriptDirective directive, string what, Func<ScriptNode, string?> action)
    {
        var places = directive.NodePlaces.ToList();
        foreach (var place in places)
        {
            string? error;
            if (places.Count > 1)
            {
                _output.PrintLine($"> {place + 1} {what}");
                error = _output.Indented(() => action(_nodes[place]));
            }
            else
            {
                error = action(_nodes[place]);
            }

            if (error is not null)
            {
                return error;
            }
        }

        return null;
    }

    private string? AddNodes(ScriptDirective directive)
    {
        var count = int.Parse(directive.Arguments[0].Key, CultureInfo.InvariantCulture);
        var (config, snapshot) = ScriptConfig.Parse(directive);
        for (var i = 0; i < count; i++)
        {
            _nodes.Add(new ScriptNode(config, (ulong)_nodes.Count + 1, snapshot, _output));
        }

        return null;
    }

    private string? Compact(ScriptDirective directive)
    {
        var node = _nodes[Place(directive)];
        Assert.Equal(LogResult.Found, node.Log.Compact(ulong.Parse(directive.Arguments[1].Key, CultureInfo.InvariantCulture)));
        return PrintLog(node);
    }

    private string? DeliverMessages(ScriptDirective directive)
    {
        var wanted = directive.Find("type") is { } name ? Enum.Parse<MessageType>(name["Msg".Length..]) : (MessageType?)null;
        var handled = 0;
        foreach (var argument in directive.Arguments)
        {
            if (argument.Values.Count == 0)
            {
                handled += Deliver(ulong.Parse(argument.Key, CultureInfo.InvariantCulture), wanted, drop: false);
            }
            else if (argument.Key == "drop")
            {
                handled += argument.Values.Sum(id => Deliver(ulong.Parse(id, CultureInfo.InvariantCulture), wanted, drop: true));
            }
        }

        _output.Print(handled == 0 ? "no messages\n" : string.Empty);
        return null;
    }

    private int Deliver(ulong to, MessageType? wanted, bool drop)
    {
        var taken = _messages.Where(message => IsTaken(message, to, wanted, drop)).ToList();
        _messages = [.. _messages.Where(message => !IsTaken(message, to, wanted, drop))];
        foreach (var message in taken)
        {
            _output.PrintLine((drop ? "dropped: " : string.Empty) + RaftText.Of(message));
            if (!drop && ErrorText(_nodes[(int)to - 1].Raft.Step(message)) is { } error)
            {
                _output.PrintLine(error);
            }
        }

        return taken.Count;
    }

    // What a node tells itself is not lost.
    private static bool IsTaken(Message message, ulong to, MessageType? wanted, bool drop) =>
        message.To == to
        && !(drop && (message.From == message.To || LocalTarget.Includes(message.From)))
        && (wanted is null || message.Type == wanted);

    private string? ProcessReady(ScriptNode node)
    {
        var ready = node.Raft.Ready();
        _output.Print(RaftText.Of(ready));
        if (!node.Config.AsyncStorageWrites)
        {
            var error = node.Persist(ready.HardState, ready.Entries, ready.Snapshot);
            if (error is not null)
            {
                return error;
            }

            node.Apply(ready.CommittedEntries);
        }

        foreach (var message in ready.Messages)
        {
            switch (message.To)
            {
                case LocalTarget.AppendThread:
                    node.AppendWork.Enqueue(message);
                    break;
                case LocalTarget.ApplyThread:
                    node.ApplyWork.Enqueue(message);
                    break;
                default:
                    _messages.Add(message);
                    break;
            }
        }

        if (!node.Config.AsyncStorageWrites)
        {
            node.Raft.Advance();
        }

        return null;
    }

    private string? ProcessAppendThread(ScriptNode node)
    {
        if (!node.AppendWork.TryDequeue(out var work))
        {
            _output.Print("no append work to perform");
            return null;
        }

        _output.PrintLine("Processing:\n" + RaftText.Of(work with { Responses = [] }));
        var error = node.Persist(work.HardState, work.Entries, work.Snapshot);
        if (error is null)
        {
            Respond(work);
        }

        return error;
    }

    private string? ProcessApplyThread(ScriptNode node)
    {
        if (!node.ApplyWork.TryDequeue(out var work))
        {
            _output.Print("no apply work to perform");
            return null;
        }

        _output.PrintLine("Processing:\n" + RaftText.Of(work with { Responses = [] }));
        node.Apply(work.Entries);
        Respond(work);
        return null;
    }

    private void Respond(Message work)
    {
        _output.PrintLine("Responses:");
        foreach (var response in work.Responses)
        {
            _output.PrintLine(RaftText.Of(response));
        }

        _messages.AddRange(work.Responses);
    }

    private string? SetLevel(string name) => _output.TrySetLevel(name) ? null : $"unknown log level {name}";

    private string? PrintLog(ScriptNode node)
    {
        var (first, last) = (node.Log.FirstIndex, node.Log.LastIndex);
        if (last < first)
        {
            _output.Print($"log is empty: first index={first}, last index={last}");
            return null;
        }

        Assert.Equal(LogResult.Found, node.Log.TryGetEntries(first, last + 1, ulong.MaxValue, out var entries));
        _output.Print(RaftText.Of(entries));
        return null;
    }

    private string? PrintStates()
    {
        foreach (var node in _nodes)
        {
            var status = node.Raft.BasicStatus;
            var isVoter = node.Raft.Core.Tracker.Config.Voters.Contains(status.Id);
            _output.PrintLine(
                $"{status.Id}: State{status.SoftState.Role} ({(isVoter ? "Voter" : "Non-Voter")}) Term:{status.HardState.Term} Lead:{status.SoftState.Leader}");
        }

        return null;
    }

    private void PrintStatus(ScriptNode node) =>
        _output.Print(node.Raft.Core.IsLeader ? node.Raft.Core.Tracker.Peers.ToString() : string.Empty);

    private string? Stabilize(ScriptDirective directive)
    {
        var level = _output.Level;
        if (directive.Find("log-level") is { } name)
        {
            SetLevel(name);
        }

        var nodes = directive.NodePlaces.Select(place => _nodes[place]).ToList();
        nodes = nodes.Count == 0 ? _nodes : nodes;
        string? error = null;
        while (error is null && (HandleReadies(nodes, ref error) | DeliverAll(nodes) | RunWorkers(nodes, ref error)))
        {
        }

        _output.Level = level;
        return error;
    }

    private bool HandleReadies(List<ScriptNode> nodes, ref string? error)
    {
        var any = false;
        foreach (var node in nodes.Where(node => node.Raft.HasReady))
        {
            _output.PrintLine($"> {node.Config.Id} handling Ready");
            error ??= _output.Indented(() => ProcessReady(node));
            any = true;
        }

        return any;
    }

    private bool DeliverAll(List<ScriptNode> nodes)
    {
        var any = false;
        foreach (var node in nodes.Where(node => _messages.Exists(message => message.To == node.Config.Id)))
        {
            _output.PrintLine($"> {node.Config.Id} receiving messages");
            _output.Indented(() =>
            {
                Deliver(node.Config.Id, null, drop: false);
                return null;
            });
            any = true;
        }

        return any;
    }

    private bool RunWorkers(List<ScriptNode> nodes, ref string? error)
    {
        var any = false;
        foreach (var node in nodes.Where(node => node.AppendWork.Count > 0))
        {
            _output.PrintLine($"> {node.Config.Id} processing append thread");
            while (node.AppendWork.Count > 0 && error is null)
            {
                error = _output.Indented(() => ProcessAppendThread(node));
            }

            any = true;
        }

        foreach (var node in nodes.Where(node => node.ApplyWork.Count > 0))
        {
            _output.PrintLine($"> {node.Config.Id} processing apply thread");
            while (node.ApplyWork.Count > 0)
            {
                _output.Indented(() => ProcessApplyThread(node));
            }

            any = true;
        }

        return any;
    }

    private string? TransferLeadership(ScriptDirective directive)
    {
        _nodes[Number(directive, "from") - 1].Raft.TransferLeader((ulong)Number(directive, "to"));
        return null;
    }

    private string? SendSnapshot(ScriptDirective directive)
    {
        var places = directive.NodePlaces.ToList();
        var from = _nodes[places[0]];
        var message = new Message
        {
            Type = MessageType.Snap,
            Term = from.Raft.BasicStatus.HardState.Term,
            From = from.Config.Id,
            To = (ulong)places[1] + 1,
            Snapshot = from.State,
        };
        _messages.Add(message);
        _output.Print(RaftText.Of(message));
        return null;
    }

    private string? ProposeConfChange(ScriptDirective directive)
    {
        var steps = RaftText.ParseSteps(directive.Input);
        Assert.NotNull(steps);
        var raft = _nodes[Place(directive)].Raft;
        if (directive.Find("v1") == "true")
        {
            return ErrorText(raft.ProposeConfChange(new ConfChange(0, steps.Value.Single().Type, steps.Value.Single().MemberId)));
        }

        var transition = directive.Find("transition") switch
        {
            null or "auto" => ConfChangeTransition.Auto,
            "implicit" => ConfChangeTransition.JointImplicit,
            "explicit" => ConfChangeTransition.JointExplicit,
            var unknown => throw new FormatException($"unknown transition {unknown}"),
        };
        return ErrorText(raft.ProposeConfChange(new ConfChangeV2 { Transition = transition, Changes = steps.Value }));
    }

    private string? ReportUnreachable(ScriptDirective directive)
    {
        var places = directive.NodePlaces.ToList();
        _nodes[places[0]].Raft.ReportUnreachable((ulong)places[1] + 1);
        return null;
    }
}
