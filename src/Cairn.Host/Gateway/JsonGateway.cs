using System.Buffers;
using System.IO.Pipelines;
using Cairn.Grpc;
using Cairn.Host.Grpc;
using Cairn.Host.Listening;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Microsoft.AspNetCore.Http.Features;

namespace Cairn.Host.Gateway;

/// <summary>Serves the gRPC methods as JSON over HTTP/1.1: reads a message as JSON, carries out the call, writes the answers as JSON.</summary>
/// <remarks>
/// A stream is a body of lines, one message each, each flushed by itself in one chunk: old clients take a chunk for a message.
/// Source: grpc-gateway v1 as etcd 3.5 sets it up. Thread-safe.
/// </remarks>
internal sealed class JsonGateway
{
    // JSON of a message is larger than its wire form: base64 adds a third, names and quotes the rest.
    private const int JsonExpansion = 2;

    private readonly GrpcServer _grpc;
    private readonly SemaphoreSlim? _slots;

    /// <param name="grpc">Who carries out the calls.</param>
    /// <param name="concurrentCallsMax">
    /// Most calls at a time; further ones wait. etcd's gateway reaches the server over one connection, whose limit of streams therefore bounds all of its calls.
    /// </param>
    public JsonGateway(GrpcServer grpc, long concurrentCallsMax = long.MaxValue)
    {
        _grpc = grpc;
        _slots = concurrentCallsMax < int.MaxValue ? new SemaphoreSlim((int)Math.Max(1, concurrentCallsMax)) : null;
    }

    private long BodyBytesMax => (long)JsonExpansion * _grpc.Limits.MessageBytesMax;

    /// <summary>Answers one request to a path of the gateway.</summary>
    /// <param name="features">The request.</param>
    public async Task ServeAsync(IFeatureCollection features)
    {
        var request = features.GetRequiredFeature<IHttpRequestFeature>();
        var method = GatewayRoutes.Find(request.Path);
        if (method is null)
        {
            await RefuseAsync(features, 404, "Not Found\n"u8.ToArray());
        }
        else if (request.Method != "POST")
        {
            await RefuseAsync(features, 405, "Method Not Allowed\n"u8.ToArray());
        }
        else if (_slots is null)
        {
            await CallAsync(features, method);
        }
        else
        {
            await CallInTurnAsync(_slots, features, method);
        }
    }

    private async Task CallInTurnAsync(SemaphoreSlim slots, IFeatureCollection features, MethodDescriptor method)
    {
        try
        {
            await slots.WaitAsync(features.GetRequiredFeature<IHttpRequestLifetimeFeature>().RequestAborted);
        }
        catch (OperationCanceledException)
        {
            // The client did not wait for its turn.
            return;
        }

        try
        {
            await CallAsync(features, method);
        }
        finally
        {
            slots.Release();
        }
    }

    private Task CallAsync(IFeatureCollection features, MethodDescriptor method) =>
        method.IsClientStreaming || method.IsServerStreaming ? ServeStreamAsync(features, method) : ServeUnaryAsync(features, method);

    private static async Task RefuseAsync(IFeatureCollection features, int status, byte[] text)
    {
        var response = features.GetRequiredFeature<IHttpResponseFeature>();
        response.StatusCode = status;
        response.Headers.ContentType = "text/plain; charset=utf-8";
        response.Headers.XContentTypeOptions = "nosniff";
        await features.GetRequiredFeature<IHttpResponseBodyFeature>().Writer.WriteAsync(text);
    }

    private static InnerCall Prepare(IFeatureCollection features, MethodDescriptor method) => new(
        $"/{method.Service.FullName}/{method.Name}",
        features.GetRequiredFeature<IHttpRequestFeature>(),
        features.GetRequiredFeature<IHttpRequestLifetimeFeature>().RequestAborted);

    private static IHttpResponseFeature BeginJson(IFeatureCollection features, int status)
    {
        var response = features.GetRequiredFeature<IHttpResponseFeature>();
        response.StatusCode = status;
        response.Headers.ContentType = "application/json";
        response.Headers["Grpc-Metadata-Content-Type"] = "application/grpc";
        return response;
    }

    private static async ValueTask AnswerAsync(IFeatureCollection features, int status, ReadOnlyMemory<byte> body)
    {
        BeginJson(features, status).Headers.ContentLength = body.Length;
        await features.GetRequiredFeature<IHttpResponseBodyFeature>().Writer.WriteAsync(body);
    }

    private static ValueTask RefuseAsync(IFeatureCollection features, GrpcStatus status)
    {
        var body = new ArrayBufferWriter<byte>();
        GatewayErrors.Write(status, body);
        return AnswerAsync(features, GatewayErrors.HttpStatusOf(status.Code), body.WrittenMemory);
    }

    private async Task ServeUnaryAsync(IFeatureCollection features, MethodDescriptor method)
    {
        var (message, refusal) = await ReadBodyAsync(features, method.InputType);
        if (message is null)
        {
            await RefuseAsync(features, refusal);
            return;
        }

        var inner = Prepare(features, method);
        Framing.Write(inner.Requests, message);
        await inner.Requests.CompleteAsync();
        var carriedOut = CarryOutAsync(features, inner, $"/{method.Service.FullName}/{method.Name}");
        var answer = await ReadAnswerAsync(inner.Answers, method.OutputType);
        await carriedOut;
        if (answer is null || !inner.Status.IsOk)
        {
            await RefuseAsync(features, inner.Status);
            return;
        }

        var body = new ArrayBufferWriter<byte>();
        ProtoJsonWriter.Write(answer, body);
        await AnswerAsync(features, 200, body.WrittenMemory);
    }

    private async Task CarryOutAsync(IFeatureCollection outer, InnerCall inner, string path)
    {
        await _grpc.ServeAsync(inner.Features, path, new GrpcCall(_grpc.Limits, outer.Get<Newcomer>()));
        inner.Complete();
    }

    private async Task<(IMessage? Message, GrpcStatus Refusal)> ReadBodyAsync(IFeatureCollection features, MessageDescriptor type)
    {
        var reader = features.GetRequiredFeature<IRequestBodyPipeFeature>().Reader;
        var newcomer = features.Get<Newcomer>();
        var held = 0L;
        while (true)
        {
            var read = await reader.ReadAsync();
            newcomer?.Hold(ref held, read.Buffer.Length);
            if (read.Buffer.Length > BodyBytesMax)
            {
                reader.AdvanceTo(read.Buffer.End);
                return (null, new GrpcStatus(GrpcStatusCode.ResourceExhausted, $"grpc: received message larger than max ({read.Buffer.Length} vs. {BodyBytesMax})"));
            }

            if (!read.IsCompleted)
            {
                reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
                continue;
            }

            var result = Parse(read.Buffer, type);
            reader.AdvanceTo(read.Buffer.End);
            return result;
        }
    }

    private static (IMessage? Message, GrpcStatus Refusal) Parse(ReadOnlySequence<byte> json, MessageDescriptor type)
    {
        try
        {
            return (ProtoJsonReader.Read(json.IsSingleSegment ? json.FirstSpan : json.ToArray(), type), GrpcStatus.Ok);
        }
        catch (ProtoJsonException exception)
        {
            return (null, new GrpcStatus(GrpcStatusCode.InvalidArgument, exception.Message));
        }
    }

    private static async ValueTask<IMessage?> ReadAnswerAsync(PipeReader answers, MessageDescriptor type)
    {
        while (true)
        {
            var read = await answers.ReadAsync();
            var bytes = read.Buffer;
            if (Framing.TryRead(ref bytes, uint.MaxValue, out _, out var payload) == FrameOutcome.Complete)
            {
                var answer = type.Parser.ParseFrom(payload);
                answers.AdvanceTo(bytes.Start);
                return answer;
            }

            answers.AdvanceTo(bytes.Start, bytes.End);
            if (read.IsCompleted)
            {
                return null;
            }
        }
    }

    private async Task ServeStreamAsync(IFeatureCollection features, MethodDescriptor method)
    {
        var inner = Prepare(features, method);
        var carriedOut = CarryOutAsync(features, inner, $"/{method.Service.FullName}/{method.Name}");
        var forwarding = ForwardRequestsAsync(features, method.InputType, inner);
        var output = features.GetRequiredFeature<IHttpResponseBodyFeature>().Writer;
        var line = new ArrayBufferWriter<byte>();
        var begun = false;
        while (await ReadAnswerAsync(inner.Answers, method.OutputType) is { } answer)
        {
            if (!begun)
            {
                BeginJson(features, 200);
                begun = true;
            }

            line.ResetWrittenCount();
            line.Write("{\"result\":"u8);
            ProtoJsonWriter.Write(answer, line);
            line.Write("}\n"u8);
            await output.WriteAsync(line.WrittenMemory);
        }

        await carriedOut;
        features.GetRequiredFeature<IRequestBodyPipeFeature>().Reader.CancelPendingRead();
        var refusal = await forwarding;
        await EndStreamAsync(features, begun, refusal.IsOk ? inner.Status : refusal);
    }

    private static async ValueTask EndStreamAsync(IFeatureCollection features, bool begun, GrpcStatus status)
    {
        if (!begun)
        {
            BeginJson(features, GatewayErrors.HttpStatusOf(status.Code));
        }

        if (!status.IsOk)
        {
            var line = new ArrayBufferWriter<byte>();
            GatewayErrors.WriteStreamed(status, line);
            await features.GetRequiredFeature<IHttpResponseBodyFeature>().Writer.WriteAsync(line.WrittenMemory);
        }
    }

    /// <summary>Hands the objects of the body to the call, one by one, until the body ends, the call has ended, or an object is not a message.</summary>
    private async Task<GrpcStatus> ForwardRequestsAsync(IFeatureCollection features, MessageDescriptor type, InnerCall inner)
    {
        var reader = features.GetRequiredFeature<IRequestBodyPipeFeature>().Reader;
        var newcomer = features.Get<Newcomer>();
        var held = 0L;
        var splitter = new JsonObjectSplitter();
        var status = GrpcStatus.Ok;
        try
        {
            while (status.IsOk)
            {
                var read = await reader.ReadAsync();
                var bytes = read.Buffer;
                while (status.IsOk && splitter.TryTake(ref bytes, out var json))
                {
                    status = await ForwardAsync(json, type, inner.Requests);
                }

                newcomer?.Hold(ref held, bytes.Length);
                status = status.IsOk ? CheckRest(bytes, read.IsCompleted) : status;
                reader.AdvanceTo(bytes.Start, bytes.End);
                if (read.IsCompleted || read.IsCanceled)
                {
                    break;
                }
            }
        }
        catch (Exception exception) when (GrpcServer.IsEndOfCall(exception))
        {
            inner.Abort();
        }

        if (!status.IsOk)
        {
            inner.Abort();
        }

        await inner.Requests.CompleteAsync();
        return status;
    }

    /// <summary>What is left after the last whole object: it may grow up to a limit, and at the end of the body it must be blank.</summary>
    private GrpcStatus CheckRest(ReadOnlySequence<byte> rest, bool ended)
    {
        if (rest.Length > BodyBytesMax)
        {
            return new GrpcStatus(GrpcStatusCode.ResourceExhausted, $"grpc: received message larger than max ({rest.Length} vs. {BodyBytesMax})");
        }

        return ended && !rest.ToArray().AsSpan().Trim(" \t\r\n"u8).IsEmpty ? new GrpcStatus(GrpcStatusCode.InvalidArgument, "unexpected EOF") : GrpcStatus.Ok;
    }

    private static async ValueTask<GrpcStatus> ForwardAsync(ReadOnlySequence<byte> json, MessageDescriptor type, PipeWriter requests)
    {
        var (message, refusal) = Parse(json, type);
        if (message is not null)
        {
            Framing.Write(requests, message);
            await requests.FlushAsync();
        }

        return refusal;
    }
}
