using Xunit;

namespace Cairn.Tests.Raft.Scripts;

/// <summary>Replays the scripts that etcd-io/raft v3.6 tests itself with: the same steps must give the same output, byte for byte.</summary>
public sealed class ScriptTests
{
    private const string Absent = "(absent)";

    /// <summary>The scripts lie beside the repository, not in it.</summary>
    private static string? Root { get; } = FindRoot();

    public static TheoryData<string> Interactions => Scripts("testdata");

    public static TheoryData<string> Memberships => Scripts("confchange/testdata");

    public static TheoryData<string> Quorums => Scripts("quorum/testdata");

    [Theory]
    [MemberData(nameof(Interactions))]
    public void Cluster_acts_as_the_script_says(string script) => Replay(script, new ScriptCluster().Run);

    [Theory]
    [MemberData(nameof(Memberships))]
    public void Membership_changes_as_the_script_says(string script) => Replay(script, new MembershipScript().Run);

    [Theory]
    [MemberData(nameof(Quorums))]
    public void Quorum_decides_as_the_script_says(string script) => Replay(script, QuorumScript.Run);

    private static void Replay(string script, Func<ScriptDirective, string> run)
    {
        Assert.SkipWhen(script == Absent, "the scripts of etcd-io/raft are not in ../shared/raft-testdata");
        foreach (var directive in ScriptFile.Parse(File.ReadAllText(Path.Combine(Root!, script))))
        {
            var output = run(directive);
            output += output.EndsWith('\n') ? string.Empty : "\n";
            if (output != directive.Expected)
            {
                Assert.Fail($"{script}:{directive.Line}: {directive.Command}\n--- expected\n{directive.Expected}--- actual\n{output}");
            }
        }
    }

    private static TheoryData<string> Scripts(string folder)
    {
        var path = Root is null ? null : Path.Combine(Root, folder);
        return Directory.Exists(path)
            ? [.. Directory.GetFiles(path, "*.txt").Select(file => folder + "/" + Path.GetFileName(file)).Order(StringComparer.Ordinal)]
            : [Absent];
    }

    private static string? FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Cairn.slnx")))
            {
                return Path.GetFullPath(Path.Combine(folder.FullName, "..", "shared", "raft-testdata"));
            }
        }

        return null;
    }
}
