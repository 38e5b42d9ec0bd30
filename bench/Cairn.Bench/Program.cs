using System.CommandLine;
using System.Net.Sockets;
using Cairn.Bench.Commands;
using Cairn.Bench.Measure;

var clock = new NanoClock(TimeProvider.System);
var common = new CommonOptions();
var root = new RootCommand("Measures any server of etcd's v3 API; workloads and options are those of etcd's own tool.")
{
    PutCommand.Build(common, clock),
    UnaryCommands.BuildRange(common, clock),
    UnaryCommands.BuildTxnMixed(common, clock),
    UnaryCommands.BuildLeaseKeepAlive(common, clock),
    WatchCommands.BuildWatch(common, clock),
    WatchCommands.BuildWatchLatency(common, clock),
    CompareCommand.Build(clock),
    FailoverCommand.Build(clock),
    BrokenCommand.Build(common, clock),
    AttackCommand.Build(),
};
common.AddTo(root);
try
{
    return root.Parse(args).Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
}
catch (Exception e) when (e is IOException or SocketException or ArgumentException)
{
    Console.Error.WriteLine($"error: {e.Message}");
    return 1;
}
