namespace Cairn.Bench.Http2;

/// <summary>What a header block says about a call; the rest of its fields does not matter to a load tool.</summary>
/// <param name="HttpStatus">Value of <c>:status</c>, or 0 if absent.</param>
/// <param name="GrpcStatus">Value of <c>grpc-status</c>, or -1 if absent.</param>
/// <param name="GrpcMessage">Value of <c>grpc-message</c> as sent, or the empty string.</param>
internal readonly record struct HeaderVerdict(int HttpStatus, int GrpcStatus, string GrpcMessage);
