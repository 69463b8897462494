package gatewayapi

// A session that a gateway keeps by itself (sessionPersistence of a rule) leads a client to the backend that it had, and the
// API lets it do so against weights, also against the weight 0. What ends it is that the backend is not there. So in such a
// rule the standby backend leaves with its last weight, and comes back with the next: see share.Form.Leaves.

// keepsSessions says whether a gateway keeps sessions of a rule.
func (r *rule) keepsSessions() bool { return r.fields["sessionPersistence"] != nil }

// weight is the standby's share of the rule, in tenths of a percent; false when it is no whole number of them, and when
// sessions may lead more to the standby than its weight of 0.
func (r *rule) weight() (int32, bool) {
	weight, ok := r.Weight()
	return weight, ok && (weight > 0 || !r.keepsSessions() || !r.HasStandby())
}

// check says whether every weight can be written to the rule. A standby backend with ports or filters of its own would not
// come back as it was.
func (r *rule) check() error {
	if r.keepsSessions() && !r.Restorable() {
		return unusable("%s keeps sessions, so that its backend %s has to leave it to lose its traffic, and could not be put back as "+
			"it is: give both Services the same ports and filters, or remove sessionPersistence", r.path, r.services.standby)
	}
	return r.Check()
}
