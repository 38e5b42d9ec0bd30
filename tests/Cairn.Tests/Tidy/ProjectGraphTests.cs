using System.Xml.Linq;
using Xunit;

namespace Cairn.Tests.Tidy;

/// <summary>The architecture, as the project files state it: who may use whom, and which packages.</summary>
public sealed class ProjectGraphTests
{
    /// <summary>A boundary earns a project only if it forbids a dependency or ships alone; this is what each may use.</summary>
    private static readonly SortedDictionary<string, string> Allowed = new(StringComparer.Ordinal)
    {
        ["src/Cairn.Raft"] = "",
        ["src/Cairn.Bbolt"] = "",
        ["src/Cairn.Storage"] = "Cairn.Raft",
        ["src/Cairn.Protocol"] = "Google.Protobuf Grpc.Tools",
        ["src/Cairn.State"] = "Cairn.Bbolt Cairn.Protocol Cairn.Raft Cairn.Storage Google.Protobuf",
        ["src/Cairn.Server"] = "Cairn.Bbolt Cairn.Protocol Cairn.Raft Cairn.State Cairn.Storage Google.Protobuf Microsoft.Extensions.Logging.Abstractions",
        ["src/Cairn.Grpc"] = "Google.Protobuf",
        ["src/Cairn.Host"] = "Cairn.Cli Cairn.Grpc Cairn.Offline Cairn.Protocol Cairn.Server Google.Protobuf OpenTelemetry.Exporter.OpenTelemetryProtocol System.CommandLine YamlDotNet",
        ["src/Cairn.Client"] = "Cairn.Grpc Cairn.Protocol Google.Protobuf Microsoft.Extensions.Logging.Abstractions",
        ["src/Cairn.Cli"] = "Cairn.Client Cairn.Protocol Google.Protobuf Spectre.Console System.CommandLine",
        ["src/Cairn.Offline"] = "Cairn.Bbolt Cairn.Protocol Cairn.Raft Cairn.State Cairn.Storage Google.Protobuf System.CommandLine",
        ["tests/Cairn.Tests"] = "*",
        ["tests/Cairn.Simulation"] = "Cairn.Protocol Cairn.Raft Cairn.Server Cairn.State Cairn.Storage Google.Protobuf Microsoft.Extensions.Logging.Abstractions xunit.v3",
        ["tests/Cairn.EndToEnd"] = "Cairn.Client Cairn.Grpc Cairn.Host Cairn.Protocol Google.Protobuf xunit.v3",
        ["bench/Cairn.Bench"] = "Cairn.Client Cairn.Grpc Cairn.Protocol Google.Protobuf System.CommandLine",
    };

    [Fact]
    public void Every_project_uses_only_what_its_row_allows()
    {
        var offenders = new List<string>();
        foreach (var (directory, uses) in Projects())
        {
            Assert.True(Allowed.ContainsKey(directory), $"{directory} has no row: which dependency does it forbid?");
            var allowed = Allowed[directory].Split(' ');
            if (allowed is not ["*"])
            {
                offenders.AddRange(uses.Where(use => !allowed.Contains(use)).Select(use => $"{directory} must not use {use}"));
            }
        }

        Assert.Empty(offenders);
    }

    [Fact]
    public void Every_project_is_part_of_the_solution()
    {
        var solution = File.ReadAllText(Path.Combine(SourceTree.Root, "Cairn.slnx"));
        Assert.All(Projects(), project => Assert.Contains($"{project.Directory}/", solution, StringComparison.Ordinal));
    }

    [Fact]
    public void Every_product_project_says_what_must_never_be_in_it()
    {
        var silent = from project in Projects()
                     where project.Directory.StartsWith("src/", StringComparison.Ordinal) && project.Directory is not ("src/Cairn.Protocol" or "src/Cairn.Host")
                     where !File.Exists(Path.Combine(SourceTree.Root, project.Directory, "BannedSymbols.txt"))
                     select project.Directory;
        Assert.Empty(silent);
    }

    private static IEnumerable<(string Directory, List<string> Uses)> Projects()
    {
        foreach (var top in new[] { "src", "tests", "bench" })
        {
            foreach (var path in Directory.EnumerateFiles(Path.Combine(SourceTree.Root, top), "*.csproj", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
            {
                var items = XDocument.Load(path).Descendants().ToList();
                var projects = items.Where(item => item.Name.LocalName == "ProjectReference").Select(item => Path.GetFileNameWithoutExtension((string)item.Attribute("Include")!));
                var packages = items.Where(item => item.Name.LocalName == "PackageReference").Select(item => (string)item.Attribute("Include")!);
                yield return (Path.GetRelativePath(SourceTree.Root, Path.GetDirectoryName(path)!).Replace('\\', '/'), [.. projects, .. packages]);
            }
        }
    }
}
