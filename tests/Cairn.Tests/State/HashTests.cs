using Cairn.Protocol;
using Cairn.State;
using Google.Protobuf;
using Xunit;

namespace Cairn.Tests.State;

public sealed class HashTests
{
    // A history that was put to etcd 3.5.16, with what it answered to HashKV on the way: revision, hash, compact_revision. "a=1" in a transaction is a put,
    // "a" a deletion; a third word of a put is its lease. Every compaction had been carried out to the end before the next line.
    private const string History = """
        put c v92
        hash 0 532818232 -1
        txn e=v29 ec=v61 f=v9 b=v31
        put c v63
        put c v86
        hash 0 3697083021 -1
        hash 5 3697083021 -1
        grant -3
        put f v70
        grant 12
        put d v85
        delete bb
        put c v77
        delete f g
        put b v44 -3
        txn e=v32 ba=v39 c=v34
        delete d
        put dc v43 -3
        hash 0 1564205928 -1
        hash 12 2794896322 -1
        put fa v94
        put a v17
        put a v60
        delete a c
        put e v20
        put a v1 -3
        put d v71
        put ec v36 -3
        revoke -3
        put fa v39
        delete f g
        revoke 12
        delete bc
        put ec v31
        put ab v49
        put f v48
        hash 0 1884762153 -1
        hash 5 3697083021 -1
        compact 5
        hash 5 3697083021 -1
        hash 0 1102650847 5
        put ca v51
        put bb v93
        grant -3
        put ea v3
        txn a=v97 d=v93 da=v24
        revoke -3
        put c v83
        put d v19
        txn d=v8 f=v52 ea
        txn d f=v11 ca=v36
        hash 0 2550704438 5
        hash 30 2035450915 5
        compact 30
        hash 30 2035450915 5
        hash 0 1717132352 30
        txn db=v30 b=v51
        txn d dc ab
        put fc v1
        delete ec f
        grant -3
        put e v35 -3
        put f v65
        put b v55
        hash 0 1724285604 30
        hash 33 3488960198 30
        compact 33
        hash 33 3488960198 30
        hash 0 2719687802 33
        put f v6 -3
        put fb v95 -3
        grant 12
        put e v67
        put f v40
        put d v5
        put bb v81
        put a v30
        hash 0 3609677836 33
        hash 0 3609677836 33
        hash 49 3609677836 33
        put d v90 12
        put f v30 12
        delete b d
        put d v66
        put ac v22
        put d v58
        delete fc
        delete e
        delete cb d
        put da v53
        put e v33
        txn cc=v78 e=v3 d b=v18
        put c v1 12
        put f v64
        put bc v52 12
        revoke 12
        grant 12
        delete d
        put b v53
        put b v35
        put d v9 12
        put b v13
        delete b
        put c v14 12
        put ab v22 12
        hash 0 3684480874 33
        delete aa
        delete ea
        put a v87 12
        hash 0 9818717 33
        hash 62 1938549124 33
        compact 62
        hash 62 1938549124 33
        hash 0 2057610148 62
        put dc v46
        put d v3 12
        put e v94
        put b v83
        put d v44
        delete ea
        put fc v1
        put a v46 12
        revoke 12
        put ac v27 -3
        put eb v75
        put b v31 -3
        put a v89
        put cc v98 -3
        put b v75
        put e v61 -3
        put b v14 -3
        put f v36 -3
        put d v31
        hash 0 2147788541 62
        hash 77 1262334656 62
        compact 77
        hash 77 1262334656 62
        hash 0 1868994831 77
        put fc v85
        hash 0 4031692741 77
        hash 84 645996327 77
        put b v98 -3
        delete f
        put bb v59 -3
        revoke -3
        txn fc=v5 f=v27
        delete b d
        put ca v54
        hash 0 1011455276 77
        put e v77
        put d v11
        put f v47
        txn d fa=v50 bc
        put da v55
        delete ba
        delete ba
        delete cb d
        put e v45
        delete e g
        put f v35
        put f v44
        delete eb g
        put c v12
        txn a=v55 e bc b=v23
        put e v77
        hash 0 1591034191 77
        hash 82 2271648031 77
        delete a z
        hash 0 2554953449 77
        compact 110
        hash 0 2310418416 110
        """;

    private readonly Machine _machine = new();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void The_hash_equals_that_of_etcd_for_the_same_history(bool isSwept)
    {
        foreach (var line in History.Split('\n'))
        {
            var words = line.Split(' ');
            if (words[0] != "hash")
            {
                Assert.Equal(StoreError.None, Run(words));
                Sweep(isSwept);
                continue;
            }

            // The hash of a compaction itself, which shows the compaction before, is known only if it was carried out; no other may depend on that.
            var expected = (Hash: uint.Parse(words[2], null), Compacted: long.Parse(words[3], null));
            if (isSwept || expected.Compacted == _machine.View.CompactedRevision)
            {
                var hash = _machine.Hash(long.Parse(words[1], null));
                Assert.Equal((line, expected.Hash, expected.Compacted), (line, hash.Hash, hash.CompactedRevision));
            }
        }
    }

    [Fact]
    public async Task The_hash_is_the_same_after_a_restart_and_after_cleaning()
    {
        foreach (var line in History.Split('\n').Where(line => !line.StartsWith("hash", StringComparison.Ordinal)))
        {
            Run(line.Split(' '));
        }

        var before = _machine.Hash();
        await _machine.ReopenAsync(checkpoint: null);
        Assert.Equal(before, _machine.Hash());

        _machine.SweepAll();
        await _machine.CaptureAsync();
        await _machine.CleanAsync(checkpointRevision: 0);
        Assert.Equal(before, _machine.Hash());
    }

    [Fact]
    public void A_hash_of_a_future_revision_is_refused()
    {
        Assert.Equal(StoreError.FutureRevision, _machine.View.OpenHash(2, out _));
        Assert.Equal(StoreError.None, _machine.View.OpenHash(0, out _));
    }

    private void Sweep(bool isSwept)
    {
        if (isSwept)
        {
            _machine.SweepAll();
        }
    }

    private StoreError Run(string[] words) => words[0] switch
    {
        "put" => _machine.Put(words[1], words[2], words.Length > 3 ? long.Parse(words[3], null) : 0).Error,
        "delete" => _machine.Delete(words[1], words.Length > 2 ? words[2] : "").Error,
        "grant" => _machine.Grant(long.Parse(words[1], null), 3600).Error,
        "revoke" => _machine.Revoke(long.Parse(words[1], null)).Error,
        "compact" => _machine.Compact(long.Parse(words[1], null)).Error,
        "txn" => _machine.Txn(new TxnRequest { Success = { words.Skip(1).Select(Operation) } }).Error,
        _ => throw new ArgumentException(words[0]),
    };

    private static RequestOp Operation(string word)
    {
        var parts = word.Split('=');
        return parts.Length == 2
            ? new RequestOp { RequestPut = new PutRequest { Key = ByteString.CopyFromUtf8(parts[0]), Value = ByteString.CopyFromUtf8(parts[1]) } }
            : new RequestOp { RequestDeleteRange = new DeleteRangeRequest { Key = ByteString.CopyFromUtf8(parts[0]) } };
    }
}
