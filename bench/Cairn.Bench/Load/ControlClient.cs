using System.Net;
using Cairn.Bench.Http2;
using Google.Protobuf;

namespace Cairn.Bench.Load;

/// <summary>Makes one call after another, for what surrounds a load. Owned by one thread.</summary>
internal sealed class ControlClient : ILoadSink, IDisposable
{
    private readonly LoadConnection _connection;
    private byte[] _reply = [];
    private int _status;
    private string _detail = "";

    /// <summary>Connects.</summary>
    /// <param name="endPoint">Where to.</param>
    public ControlClient(IPEndPoint endPoint) => _connection = LoadConnection.Open(endPoint, this);

    /// <summary>Makes a call and waits for its end.</summary>
    /// <typeparam name="TResponse">The reply.</typeparam>
    /// <param name="path">Path of the method.</param>
    /// <param name="request">The request.</param>
    /// <returns>The last message of the reply.</returns>
    /// <exception cref="IOException">The call failed.</exception>
    public TResponse Call<TResponse>(string path, IMessage request)
        where TResponse : IMessage<TResponse>, new()
    {
        _connection.Start(path, 0, request.ToByteArray(), isLast: true);
        _connection.Flush();
        while (_connection.OpenCalls > 0)
        {
            _connection.Receive();
            _connection.Flush();
        }

        if (_status != 0)
        {
            throw new IOException($"{path}: status {_status}: {_detail}");
        }

        var response = new TResponse();
        response.MergeFrom(_reply);
        return response;
    }

    /// <inheritdoc/>
    public void OnMessage(LoadConnection connection, LoadCall call, ReadOnlySpan<byte> message) => _reply = message.ToArray();

    /// <inheritdoc/>
    public void OnEnd(LoadConnection connection, LoadCall call, int status, string detail) => (_status, _detail) = (status, detail);

    /// <summary>Closes the connection.</summary>
    public void Dispose() => _connection.Dispose();
}
