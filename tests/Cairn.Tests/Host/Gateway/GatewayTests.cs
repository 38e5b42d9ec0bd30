using System.Buffers;
using System.Text;
using Cairn.Grpc;
using Cairn.Host.Gateway;
using Xunit;

namespace Cairn.Tests.Host.Gateway;

public sealed class GatewayTests
{
    [Fact]
    public void Every_method_but_the_stream_of_ranges_has_a_path()
    {
        var reachable = GatewayRoutes.All.Values.Select(method => method.FullName).ToHashSet();
        var all = GatewayRoutes.All.Values.Select(method => method.Service).Distinct().SelectMany(service => service.Methods).Select(method => method.FullName);
        Assert.Equal(["etcdserverpb.KV.RangeStream"], all.Where(name => !reachable.Contains(name)));
    }

    [Theory]
    [InlineData("/v3/kv/range", "etcdserverpb.KV.Range")]
    [InlineData("/v3beta/kv/range", "etcdserverpb.KV.Range")]
    [InlineData("/v3/kv/lease/timetolive", "etcdserverpb.Lease.LeaseTimeToLive")]
    [InlineData("/v3/maintenance/transfer-leadership", "etcdserverpb.Maintenance.MoveLeader")]
    [InlineData("/v3/election/observe", "v3electionpb.Election.Observe")]
    public void Paths_lead_to_methods(string path, string method)
    {
        Assert.True(GatewayRoutes.Covers(path));
        Assert.Equal(method, GatewayRoutes.Find(path)?.FullName);
    }

    [Theory]
    [InlineData("/v3/kv/range/")]
    [InlineData("/v3/")]
    [InlineData("/v3beta/kv")]
    public void Unknown_paths_below_the_gateway_are_its_own_to_refuse(string path)
    {
        Assert.True(GatewayRoutes.Covers(path));
        Assert.Null(GatewayRoutes.Find(path));
    }

    [Theory]
    [InlineData("/v3alpha/kv/range")]
    [InlineData("/v2/keys")]
    [InlineData("/")]
    public void Other_paths_are_not_covered(string path)
    {
        Assert.False(GatewayRoutes.Covers(path));
    }

    [Fact]
    public void Errors_carry_the_fields_that_clients_of_either_version_read()
    {
        var unary = new ArrayBufferWriter<byte>();
        GatewayErrors.Write(new GrpcStatus(GrpcStatusCode.PermissionDenied, "etcdserver: permission denied"), unary);
        Assert.Equal("""{"error":"etcdserver: permission denied","code":7,"message":"etcdserver: permission denied"}""", Encoding.UTF8.GetString(unary.WrittenSpan));

        var streamed = new ArrayBufferWriter<byte>();
        GatewayErrors.WriteStreamed(new GrpcStatus(GrpcStatusCode.Unavailable, "etcdserver: no leader"), streamed);
        Assert.Equal(
            """{"error":{"grpc_code":14,"http_code":503,"message":"etcdserver: no leader","http_status":"Service Unavailable","code":14}}""" + "\n",
            Encoding.UTF8.GetString(streamed.WrittenSpan));
    }

    [Fact]
    public void Objects_are_found_wherever_the_body_is_cut()
    {
        const string Body = """ {"create_request":{"key":"YQ==","filters":["}","\"{"]}} {"progress_request":{}}""" + "\n{}";
        for (var cut = 0; cut <= Body.Length; cut++)
        {
            var splitter = new JsonObjectSplitter();
            var found = new List<string>();
            var rest = Take(splitter, Body[..cut], found);
            rest = Take(splitter, rest + Body[cut..], found);
            Assert.Equal("", rest);
            Assert.Equal(["""{"create_request":{"key":"YQ==","filters":["}","\"{"]}}""", """{"progress_request":{}}""", "{}"], found);
        }
    }

    private static string Take(JsonObjectSplitter splitter, string received, List<string> found)
    {
        var bytes = new ReadOnlySequence<byte>(Encoding.UTF8.GetBytes(received));
        while (splitter.TryTake(ref bytes, out var json))
        {
            found.Add(Encoding.UTF8.GetString(json).Trim());
        }

        return Encoding.UTF8.GetString(bytes);
    }
}
