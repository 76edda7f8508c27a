package hubtest

import (
	"testing"

	"dfs/cas"
	"dfs/server/api"
)

func testQuotas(t *testing.T, f *fixture) {
	list, err := f.Quotas(f.ctx)
	must(t, err)
	equal(t, "quotas", len(list), 0)
	q := api.Quota{Volume: f.volume.ID, Bytes: 10, Files: 2}
	for range 2 {
		must(t, f.SetQuota(f.ctx, q))
	}
	r := f.replica()
	m, blob := file("x")
	r.pushed(t, tree{"a": m, "b": m}, blob)
	req := r.commit(t, r.start(t, random()).Session, tree{"a": m, "b": m, "c": m})
	_, err = f.Commit(f.ctx, req)
	want(t, err, api.ErrQuota)
	list, err = f.Quotas(f.ctx)
	must(t, err)
	q.Used = api.Usage{Bytes: 2, Files: 2, Entries: 2}
	equal(t, "quotas", list, []api.Quota{q})
	other := api.Quota{Client: random(), Files: 1}
	must(t, f.SetQuota(f.ctx, other))
	must(t, f.SetQuota(f.ctx, api.Quota{Volume: f.volume.ID}))
	_, err = f.Commit(f.ctx, req)
	must(t, err)
	list, err = f.Quotas(f.ctx)
	must(t, err)
	equal(t, "quotas", list, []api.Quota{other})
	for _, bad := range []api.Quota{{Bytes: 1}, {Volume: f.volume.ID, Client: random(), Bytes: 1}, {Volume: f.volume.ID, Files: -1}} {
		want(t, f.SetQuota(f.ctx, bad), api.ErrInvalid)
	}
	want(t, f.SetQuota(f.ctx, api.Quota{Volume: random(), Files: 1}), api.ErrNotFound)
}

func testOverview(t *testing.T, f *fixture) {
	_, err := f.CreateVolume(f.ctx, "code", random())
	must(t, err)
	ours, theirs := f.replica(), f.replica()
	m, blob := file("x")
	ours.pushed(t, tree{"d": directory(), "d/a": m}, blob)
	theirs.push(t, tree{"d": directory(), "d/a": link("b")})
	ours.start(t, random())
	o, err := f.Overview(f.ctx)
	must(t, err)
	info, err := f.Info(f.ctx, "")
	must(t, err)
	if o.HubID != info.HubID || o.Opened.IsZero() || len(o.Volumes) != 2 || o.Alarm != nil || o.Tokens != 0 || o.JoinKeys != 0 {
		t.Fatalf("%+v", o)
	}
	f.volume.Head = f.head(t)
	equal(t, "volume", o.Volumes[1], api.VolumeOverview{
		Volume: f.volume, Usage: api.Usage{Bytes: 1, Files: 1, Entries: 2}, Sessions: 1, Conflicts: 1,
	})
	if code := o.Volumes[0]; code.Volume.Name != "code" || code.Usage != (api.Usage{}) || code.Sessions != 0 || code.Conflicts != 0 {
		t.Errorf("%+v", code)
	}
}

// testOthersQuotas asks who may set quotas, and who sees which.
func testOthersQuotas(t *testing.T, c *company) {
	docs, code := c.volume(t, "docs"), c.volume(t, "code")
	reader, _, registered := c.hire(t, only(docs, api.RightRead))
	keeper, _, _ := c.hire(t, only(docs, api.RightAdmin))
	all := []api.Quota{{Volume: docs.ID, Files: 1}, {Volume: code.ID, Files: 2}, {Client: registered.Client, Bytes: 3}}
	for _, q := range all {
		for _, f := range []*fixture{reader, keeper} {
			want(t, f.SetQuota(f.ctx, q), api.ErrForbidden)
		}
		must(t, c.admin.SetQuota(c.admin.ctx, q))
	}
	// As a reader of docs alone, code and a volume that is not there look alike to who may set none.
	absent, others := keeper.SetQuota(keeper.ctx, api.Quota{Volume: cas.VolumeID{1}, Files: 1}), keeper.SetQuota(keeper.ctx, all[1])
	equal(t, "refusals", others.Error(), absent.Error())
	for f, see := range map[*fixture][]api.Quota{reader: {all[0], all[2]}, keeper: {all[0]}, c.admin: all} {
		list, err := f.Quotas(f.ctx)
		must(t, err)
		equal(t, "how many are seen", len(list), len(see))
		for _, q := range list {
			if q != see[0] && q != see[len(see)-1] && q != see[len(see)/2] {
				t.Errorf("sees %+v of %+v", q, see)
			}
		}
		_, err = f.Overview(f.ctx)
		if f != c.admin {
			want(t, err, api.ErrForbidden)
			continue
		}
		must(t, err)
	}
	_, err := c.admin.admin.Invite(c.admin.ctx, api.InviteRequest{Key: api.NewJoinKey(), Grants: only(docs, api.RightRead), ExpiresIn: 60})
	must(t, err)
	o, err := c.admin.Overview(c.admin.ctx)
	must(t, err)
	if o.Tokens != 3 || o.JoinKeys != 1 || len(o.Volumes) != 2 || o.Volumes[0].Owner.IsZero() {
		t.Errorf("%+v", o)
	}
}
