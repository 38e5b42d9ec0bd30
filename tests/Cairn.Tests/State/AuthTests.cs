using Cairn.Protocol;
using Cairn.State;
using Cairn.State.Auth;
using Google.Protobuf;
using Xunit;
using PermissionType = Cairn.Protocol.Permission.Types.Type;

namespace Cairn.Tests.State;

public sealed class AuthTests
{
    private readonly Machine _machine = new();

    [Fact]
    public void Enabling_needs_the_root_user_with_the_root_role()
    {
        Assert.Equal(StoreError.RootUserMissing, Enable());
        AddUser("root");
        Assert.Equal(StoreError.RootRoleMissing, Enable());
        GrantRole("root", "root");

        Assert.Equal(StoreError.None, Enable());

        Assert.True(_machine.View.Auth.IsEnabled);
    }

    [Fact]
    public void The_revision_rises_with_each_change_but_not_by_enabling_or_granting_again()
    {
        Assert.Equal(1UL, _machine.View.Auth.Revision);
        AddUser("root");
        GrantRole("root", "root");
        Assert.Equal(3UL, _machine.View.Auth.Revision);
        GrantRole("root", "root");
        Enable();
        Assert.Equal(3UL, _machine.View.Auth.Revision);

        _machine.UserName = "root";
        Apply(new InternalRaftRequest { AuthDisable = new AuthDisableRequest() });
        Assert.Equal(4UL, _machine.View.Auth.Revision);
        Apply(new InternalRaftRequest { AuthDisable = new AuthDisableRequest() });
        Assert.Equal(4UL, _machine.View.Auth.Revision);
    }

    [Fact]
    public void Without_auth_everything_is_permitted()
    {
        AddUser("u");
        _machine.UserName = "u";

        Assert.Equal(StoreError.None, _machine.Put("x", "1").Error);
    }

    [Fact]
    public void Permissions_are_held_against_puts_ranges_and_deletions()
    {
        Prepare();
        _machine.UserName = "u";

        Assert.Equal(StoreError.None, _machine.Put("a", "1").Error);
        Assert.Equal(StoreError.PermissionDenied, _machine.Put("z", "1").Error);
        Assert.Equal(StoreError.PermissionDenied, Apply(new InternalRaftRequest { Put = new PutRequest { Key = Machine.Bytes("w"), PrevKv = true } }));
        Assert.Equal(StoreError.None, Apply(new InternalRaftRequest { Put = new PutRequest { Key = Machine.Bytes("w") } }));
        Assert.Equal(StoreError.None, _machine.Delete("a", "c").Error);
        Assert.Equal(StoreError.PermissionDenied, _machine.Delete("a", "d").Error);
        Assert.Equal(StoreError.PermissionDenied, _machine.Delete("a", "\0").Error);
        Assert.Equal(StoreError.PermissionDenied, _machine.Delete("z", "a").Error);
        Assert.Equal(StoreError.None, _machine.Delete("b", "a").Error);
    }

    [Fact]
    public void An_old_auth_revision_and_no_user_are_refused()
    {
        Prepare();
        _machine.UserName = "u";
        _machine.AuthRevision = _machine.View.Auth.Revision - 1;
        Assert.Equal(StoreError.AuthRevisionOld, _machine.Put("a", "1").Error);

        _machine.UserName = "";
        Assert.Equal(StoreError.UserNameEmpty, _machine.Put("a", "1").Error);
    }

    [Fact]
    public void Nested_transactions_comparisons_and_both_branches_are_checked()
    {
        Prepare();
        _machine.UserName = "u";
        var forbidden = new RequestOp { RequestPut = new PutRequest { Key = Machine.Bytes("z") } };
        var nested = new RequestOp { RequestTxn = new TxnRequest { Failure = { forbidden } } };
        var nestedPrevious = new RequestOp
        {
            RequestTxn = new TxnRequest { Success = { new RequestOp { RequestPut = new PutRequest { Key = Machine.Bytes("w"), PrevKv = true } } } },
        };

        Assert.Equal(StoreError.PermissionDenied, _machine.Txn(new TxnRequest { Failure = { forbidden } }).Error);
        Assert.Equal(StoreError.PermissionDenied, _machine.Txn(new TxnRequest { Success = { nested } }).Error);
        Assert.Equal(StoreError.PermissionDenied, _machine.Txn(new TxnRequest { Success = { nestedPrevious } }).Error);
        Assert.Equal(StoreError.PermissionDenied, _machine.Txn(new TxnRequest { Compare = { new Compare { Key = Machine.Bytes("z") } } }).Error);
    }

    [Fact]
    public void A_lease_with_somebody_elses_keys_can_neither_be_used_nor_revoked()
    {
        Prepare();
        _machine.UserName = "root";
        _machine.Grant(7, 10);
        _machine.Put("z", "1", lease: 7);
        _machine.UserName = "u";

        Assert.Equal(StoreError.PermissionDenied, _machine.Put("a", "1", lease: 7).Error);
        Assert.Equal(StoreError.PermissionDenied, _machine.Revoke(7).Error);
        Assert.Equal(StoreError.PermissionDenied, _machine.Put("z", "1", lease: 99).Error);
        _machine.UserName = "root";
        Assert.Equal(StoreError.None, _machine.Revoke(7).Error);
    }

    [Fact]
    public void Neighbouring_grants_cover_one_request()
    {
        Prepare();
        _machine.UserName = "root";
        GrantPermission("r", PermissionType.Readwrite, "c", "\0");
        _machine.UserName = "u";

        Assert.Equal(StoreError.None, _machine.Delete("a", "\0").Error);
    }

    [Fact]
    public void Root_cannot_be_taken_away_while_auth_is_on()
    {
        Prepare();
        _machine.UserName = "root";

        Assert.Equal(StoreError.InvalidAuthManagement, Apply(new InternalRaftRequest { AuthUserDelete = new AuthUserDeleteRequest { Name = "root" } }));
        Assert.Equal(
            StoreError.InvalidAuthManagement,
            Apply(new InternalRaftRequest { AuthUserRevokeRole = new AuthUserRevokeRoleRequest { Name = "root", Role = "root" } }));
        Assert.Equal(StoreError.InvalidAuthManagement, Apply(new InternalRaftRequest { AuthRoleDelete = new AuthRoleDeleteRequest { Role = "root" } }));
    }

    [Fact]
    public void Only_administrators_administer_but_everybody_may_look_at_themselves()
    {
        Prepare();
        _machine.UserName = "u";

        Assert.Equal(StoreError.PermissionDenied, Apply(new InternalRaftRequest { AuthUserList = new AuthUserListRequest() }));
        Assert.Equal(StoreError.PermissionDenied, Apply(new InternalRaftRequest { AuthUserGet = new AuthUserGetRequest { Name = "root" } }));
        var own = _machine.Apply(new InternalRaftRequest { AuthUserGet = new AuthUserGetRequest { Name = "u" } });
        Assert.Equal(["r"], ((AuthUserGetResponse)own.ToResponse()!).Roles);
        Assert.Equal(StoreError.None, Apply(new InternalRaftRequest { AuthRoleGet = new AuthRoleGetRequest { Role = "r" } }));
    }

    [Fact]
    public void The_root_role_shows_a_permission_over_everything()
    {
        AddRole("root");

        var response = (AuthRoleGetResponse)_machine.Apply(new InternalRaftRequest { AuthRoleGet = new AuthRoleGetRequest { Role = "root" } }).ToResponse()!;

        Assert.Equal(new Permission { PermType = PermissionType.Readwrite, RangeEnd = ByteString.CopyFrom(0) }, Assert.Single(response.Perm));
    }

    [Fact]
    public void Deleting_a_role_takes_it_from_all_users()
    {
        Prepare();
        _machine.UserName = "root";

        Apply(new InternalRaftRequest { AuthRoleDelete = new AuthRoleDeleteRequest { Role = "r" } });

        Assert.Empty(_machine.View.Auth.Users["u"].Roles);
        _machine.UserName = "u";
        Assert.Equal(StoreError.PermissionDenied, _machine.Put("a", "1").Error);
    }

    [Fact]
    public void A_grant_of_the_same_range_replaces_its_type()
    {
        AddRole("r");
        GrantPermission("r", PermissionType.Read, "a", "b");
        GrantPermission("r", PermissionType.Write, "a", "b");

        Assert.Equal(PermissionType.Write, Assert.Single(_machine.View.Auth.Roles["r"].Permissions).Type);
        Assert.Equal(StoreError.InvalidAuthManagement, GrantPermission("r", PermissionType.Read, "b", "a"));
        Assert.Equal(StoreError.InvalidAuthManagement, GrantPermission("r", PermissionType.Read, "", "\0"));
        Assert.Equal(
            StoreError.PermissionNotGiven,
            Apply(new InternalRaftRequest { AuthRoleGrantPermission = new AuthRoleGrantPermissionRequest { Name = "none" } }));
    }

    [Fact]
    public void A_token_ends_in_the_index_of_the_entry_before()
    {
        Prepare();
        var index = _machine.State.Applied.Index;

        var result = _machine.Apply(new InternalRaftRequest { Authenticate = new InternalAuthenticateRequest { Name = "u", SimpleToken = "abc" } });

        var token = ((AuthenticateResponse)result.ToResponse()!).Token;
        Assert.Equal($"abc.{index}", token);
        Assert.Equal(new SimpleToken("u", index + 1), FindToken(token));
    }

    [Fact]
    public void A_login_without_a_secret_part_makes_no_token()
    {
        Prepare();

        var result = _machine.Apply(new InternalRaftRequest { Authenticate = new InternalAuthenticateRequest { Name = "u" } });

        Assert.Equal("", ((AuthenticateResponse)result.ToResponse()!).Token);
        Assert.Empty(_machine.View.Tokens.All);
    }

    [Theory]
    [InlineData("password", false)]
    [InlineData("deletion", false)]
    [InlineData("disable", false)]
    [InlineData("role", true)]
    public void Tokens_end_with_the_password_the_user_or_auth_itself(string change, bool isKept)
    {
        Prepare();
        var token = Login("u");
        var other = Login("root");
        _machine.UserName = "root";

        Assert.Equal(StoreError.None, Apply(change switch
        {
            "password" => new InternalRaftRequest { AuthUserChangePassword = new AuthUserChangePasswordRequest { Name = "u" } },
            "deletion" => new InternalRaftRequest { AuthUserDelete = new AuthUserDeleteRequest { Name = "u" } },
            "disable" => new InternalRaftRequest { AuthDisable = new AuthDisableRequest() },
            _ => new InternalRaftRequest { AuthUserGrantRole = new AuthUserGrantRoleRequest { User = "u", Role = "root" } },
        }));

        Assert.Equal(isKept, FindToken(token) is not null);
        Assert.Equal(change != "disable", FindToken(other) is not null);
    }

    [Fact]
    public async Task Tokens_and_the_changes_of_users_outlive_a_restart_and_follow_what_members_report()
    {
        Prepare();
        var used = Login("u");
        var unused = Login("u");
        var changedAt = _machine.View.Auth.Users["u"].ChangedAt;
        var index = _machine.State.Applied.Index + 1;
        Apply(Upkeep(new TokenUpkeep { Used = { TokenHash.Of(used).ToByteString(), TokenHash.Of("unknown").ToByteString() } }));
        await _machine.ReopenAsync(checkpoint: null);

        Assert.Equal(new SimpleToken("u", index), FindToken(used));
        Assert.Equal(changedAt, _machine.View.Auth.Users["u"].ChangedAt);
        Assert.True(_machine.View.Auth.Revision > changedAt);

        Apply(Upkeep(new TokenUpkeep { Ended = { TokenHash.Of(unused).ToByteString() } }));

        Assert.Null(FindToken(unused));
        Assert.NotNull(FindToken(used));
    }

    [Fact]
    public void Passwords_are_kept_as_the_proposer_hashed_them()
    {
        var hash = "$2a$10$something"u8.ToArray();
        Apply(new InternalRaftRequest { AuthUserAdd = new AuthUserAddRequest { Name = "u", HashedPassword = Convert.ToBase64String(hash) } });

        Assert.Equal(hash, _machine.View.Auth.Users["u"].PasswordHash.ToArray());
        Assert.Equal(
            StoreError.NoPasswordUser,
            Apply(new InternalRaftRequest { AuthUserAdd = new AuthUserAddRequest { Name = "v", HashedPassword = "%" } }));
    }

    [Fact]
    public async Task Bug_14571_users_and_roles_are_the_same_after_a_restart()
    {
        Prepare();
        var revision = _machine.View.Auth.Revision;

        await _machine.ReopenAsync(checkpoint: null);

        Assert.Equal((true, revision), (_machine.View.Auth.IsEnabled, _machine.View.Auth.Revision));
        _machine.UserName = "u";
        Assert.Equal(StoreError.None, _machine.Put("a", "1").Error);
        Assert.Equal(StoreError.PermissionDenied, _machine.Put("z", "1").Error);
    }

    /// <summary>Auth is on; user u has role r: read and write [a, c), write w.</summary>
    private void Prepare()
    {
        AddUser("root");
        GrantRole("root", "root");
        AddUser("u");
        AddRole("r");
        GrantRole("u", "r");
        GrantPermission("r", PermissionType.Readwrite, "a", "c");
        GrantPermission("r", PermissionType.Write, "w", "");
        Assert.Equal(StoreError.None, Enable());
    }

    private StoreError Apply(InternalRaftRequest request) => _machine.Apply(request).Error;

    private string Login(string name) =>
        ((AuthenticateResponse)_machine.Apply(new InternalRaftRequest { Authenticate = new InternalAuthenticateRequest { Name = name, SimpleToken = "abc" } })
            .ToResponse()!).Token; // It succeeds.

    private static InternalRaftRequest Upkeep(TokenUpkeep upkeep) => new() { Authenticate = new InternalAuthenticateRequest { Upkeep = upkeep } };

    private SimpleToken? FindToken(string token) => _machine.View.Tokens.TryFind(TokenHash.Of(token), out var found) ? found : null;

    private StoreError Enable() => Apply(new InternalRaftRequest { AuthEnable = new AuthEnableRequest() });

    private void AddUser(string name) => Apply(new InternalRaftRequest { AuthUserAdd = new AuthUserAddRequest { Name = name } });

    private void AddRole(string name) => Apply(new InternalRaftRequest { AuthRoleAdd = new AuthRoleAddRequest { Name = name } });

    private void GrantRole(string user, string role) =>
        Apply(new InternalRaftRequest { AuthUserGrantRole = new AuthUserGrantRoleRequest { User = user, Role = role } });

    private StoreError GrantPermission(string role, PermissionType type, string key, string end) => Apply(new InternalRaftRequest
    {
        AuthRoleGrantPermission = new AuthRoleGrantPermissionRequest
        {
            Name = role,
            Perm = new Permission { PermType = type, Key = ByteString.CopyFromUtf8(key), RangeEnd = ByteString.CopyFromUtf8(end) },
        },
    });
}
