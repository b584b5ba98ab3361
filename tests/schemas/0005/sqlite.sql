CREATE TABLE answer (
	user TEXT NOT NULL,
	route TEXT NOT NULL,
	"key" TEXT NOT NULL,
	request_hash TEXT NOT NULL,
	status INTEGER,
	headers TEXT,
	body TEXT,
	holder TEXT NOT NULL,
	until BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	PRIMARY KEY (user, route, "key")
);
CREATE INDEX answer_created ON answer (created_at);
CREATE TABLE audit (
	seq INTEGER NOT NULL,
	at BIGINT NOT NULL,
	user TEXT NOT NULL,
	token TEXT,
	action TEXT NOT NULL,
	target TEXT NOT NULL,
	data TEXT NOT NULL,
	PRIMARY KEY (seq)
);
CREATE INDEX audit_target ON audit (target, seq);
CREATE INDEX audit_user ON audit (user, seq);
CREATE TABLE budget (
	scope TEXT NOT NULL,
	currency TEXT NOT NULL,
	cap BIGINT,
	spent BIGINT NOT NULL,
	reserved BIGINT NOT NULL,
	frozen TEXT,
	PRIMARY KEY (scope)
);
CREATE TABLE client (
	id TEXT NOT NULL,
	owner TEXT NOT NULL,
	name TEXT NOT NULL,
	details TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	PRIMARY KEY (id)
);
CREATE INDEX client_owner ON client (owner, id);
CREATE TABLE delivery (
	seq INTEGER NOT NULL,
	vendor TEXT NOT NULL,
	id TEXT NOT NULL,
	"key" TEXT,
	handle TEXT,
	body TEXT NOT NULL,
	at BIGINT NOT NULL,
	PRIMARY KEY (seq),
	CONSTRAINT delivery_id UNIQUE (vendor, id)
);
CREATE INDEX delivery_handle ON delivery (handle) WHERE handle IS NOT NULL;
CREATE INDEX delivery_key ON delivery ("key") WHERE key IS NOT NULL;
CREATE TABLE holder (
	id TEXT NOT NULL,
	expires_at BIGINT NOT NULL,
	PRIMARY KEY (id)
);
CREATE TABLE job (
	id TEXT NOT NULL,
	pipeline TEXT NOT NULL,
	state TEXT NOT NULL,
	graph TEXT NOT NULL,
	input TEXT NOT NULL,
	labels TEXT NOT NULL,
	owner TEXT NOT NULL,
	executor TEXT NOT NULL,
	dedup TEXT,
	parent_job TEXT,
	parent_key TEXT,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	started_at BIGINT,
	finished_at BIGINT,
	deadline BIGINT,
	deadline_at BIGINT,
	error_kind TEXT,
	error_message TEXT,
	error_trace TEXT,
	failed_task TEXT,
	last_event BIGINT NOT NULL,
	deadline_left BIGINT,
	live INTEGER NOT NULL,
	abroad INTEGER DEFAULT '0' NOT NULL,
	parked INTEGER NOT NULL,
	failed INTEGER NOT NULL,
	unswept BIGINT DEFAULT '0' NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (dedup),
	FOREIGN KEY(parent_job) REFERENCES job (id)
);
CREATE INDEX job_created ON job (created_at, id);
CREATE INDEX job_deadline ON job (deadline_at) WHERE deadline_at IS NOT NULL AND finished_at IS NULL;
CREATE INDEX job_owner ON job (owner, created_at, id);
CREATE INDEX job_parent ON job (parent_job) WHERE parent_job IS NOT NULL;
CREATE INDEX job_state ON job (state, created_at, id);
CREATE INDEX job_unswept ON job (id) WHERE unswept <> 0;
CREATE TABLE schedule (
	id TEXT NOT NULL,
	name TEXT NOT NULL,
	owner TEXT NOT NULL,
	workflow TEXT NOT NULL,
	pipeline TEXT NOT NULL,
	params TEXT NOT NULL,
	kind TEXT NOT NULL,
	expression TEXT NOT NULL,
	zone TEXT NOT NULL,
	missed TEXT NOT NULL,
	overlap TEXT NOT NULL,
	cap TEXT,
	patience INTEGER NOT NULL,
	failures INTEGER NOT NULL,
	state TEXT NOT NULL,
	reason TEXT,
	anchor_at BIGINT NOT NULL,
	next_at BIGINT,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	PRIMARY KEY (id)
);
CREATE INDEX schedule_due ON schedule (next_at) WHERE state = 'active' AND next_at IS NOT NULL;
CREATE INDEX schedule_owner ON schedule (owner, created_at, id);
CREATE TABLE store (
	number INTEGER NOT NULL,
	id TEXT NOT NULL,
	place TEXT NOT NULL,
	PRIMARY KEY (number)
);
CREATE TABLE user (
	name TEXT NOT NULL,
	admin INTEGER NOT NULL,
	created_at BIGINT NOT NULL,
	disabled_at BIGINT,
	PRIMARY KEY (name)
);
CREATE TABLE call (
	"key" TEXT NOT NULL,
	job TEXT NOT NULL,
	task TEXT NOT NULL,
	node TEXT NOT NULL,
	revision INTEGER NOT NULL,
	name TEXT NOT NULL,
	number INTEGER NOT NULL,
	state TEXT NOT NULL,
	adapter TEXT NOT NULL,
	vendor TEXT NOT NULL,
	policy TEXT NOT NULL,
	request TEXT NOT NULL,
	request_hash TEXT NOT NULL,
	estimate BIGINT NOT NULL,
	reserved BIGINT NOT NULL,
	spent BIGINT NOT NULL,
	risk BIGINT NOT NULL,
	currency TEXT NOT NULL,
	computed INTEGER NOT NULL,
	sends INTEGER NOT NULL,
	handle TEXT,
	result TEXT,
	reason TEXT,
	absences INTEGER NOT NULL,
	answers INTEGER NOT NULL,
	cancel_asked INTEGER NOT NULL,
	intended_at BIGINT NOT NULL,
	sent_at BIGINT NOT NULL,
	absent_at BIGINT,
	accepted_at BIGINT,
	ended_at BIGINT,
	decided_by TEXT,
	scopes TEXT NOT NULL,
	rung INTEGER NOT NULL,
	maker TEXT NOT NULL,
	PRIMARY KEY ("key"),
	CONSTRAINT call_path UNIQUE (job, task, revision, name, number),
	FOREIGN KEY(job) REFERENCES job (id) ON DELETE CASCADE
);
CREATE INDEX call_handle ON call (handle) WHERE handle IS NOT NULL;
CREATE INDEX call_intended ON call (intended_at, "key");
CREATE INDEX call_live ON call (vendor) WHERE state IN ('intended', 'accepted');
CREATE INDEX call_open ON call (job) WHERE state IN ('intended', 'accepted', 'doubt');
CREATE TABLE campaign (
	id TEXT NOT NULL,
	owner TEXT NOT NULL,
	client TEXT,
	name TEXT NOT NULL,
	details TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	PRIMARY KEY (id),
	FOREIGN KEY(client) REFERENCES client (id) ON DELETE RESTRICT
);
CREATE INDEX campaign_client ON campaign (client);
CREATE INDEX campaign_owner ON campaign (owner, id);
CREATE TABLE edge (
	job TEXT NOT NULL,
	upstream TEXT NOT NULL,
	downstream TEXT NOT NULL,
	optional INTEGER NOT NULL,
	PRIMARY KEY (job, upstream, downstream),
	FOREIGN KEY(job) REFERENCES job (id) ON DELETE CASCADE
)
 WITHOUT ROWID;
CREATE TABLE event (
	job TEXT NOT NULL,
	seq BIGINT NOT NULL,
	at BIGINT NOT NULL,
	kind TEXT NOT NULL,
	task TEXT,
	data TEXT NOT NULL,
	PRIMARY KEY (job, seq),
	FOREIGN KEY(job) REFERENCES job (id) ON DELETE CASCADE
)
 WITHOUT ROWID;
CREATE INDEX event_turn ON event (job, at) WHERE kind IN ('task.kept', 'task.reclaimed', 'job.retried');
CREATE TABLE firing (
	schedule TEXT NOT NULL,
	due_at BIGINT NOT NULL,
	kind TEXT NOT NULL,
	state TEXT NOT NULL,
	job TEXT,
	reason TEXT,
	fired_at BIGINT NOT NULL,
	ended_at BIGINT,
	PRIMARY KEY (schedule, due_at),
	FOREIGN KEY(schedule) REFERENCES schedule (id) ON DELETE CASCADE
);
CREATE INDEX firing_job ON firing (job) WHERE job IS NOT NULL;
CREATE INDEX firing_open ON firing (schedule, due_at) WHERE state IN ('queued', 'started');
CREATE TABLE review (
	job TEXT NOT NULL,
	revision INTEGER NOT NULL,
	sha256 TEXT NOT NULL,
	verdict TEXT NOT NULL,
	reason TEXT NOT NULL,
	"by" TEXT NOT NULL,
	at BIGINT NOT NULL,
	PRIMARY KEY (job, revision),
	FOREIGN KEY(job) REFERENCES job (id) ON DELETE CASCADE
);
CREATE TABLE shared (
	input_hash TEXT NOT NULL,
	job TEXT NOT NULL,
	output TEXT NOT NULL,
	PRIMARY KEY (input_hash),
	FOREIGN KEY(job) REFERENCES job (id) ON DELETE CASCADE
);
CREATE INDEX shared_job ON shared (job);
CREATE TABLE task (
	id INTEGER NOT NULL,
	job TEXT NOT NULL,
	"key" TEXT NOT NULL,
	node TEXT NOT NULL,
	position INTEGER NOT NULL,
	idx INTEGER NOT NULL,
	mapped INTEGER NOT NULL,
	need INTEGER,
	queue TEXT NOT NULL,
	resources TEXT NOT NULL,
	pinned INTEGER NOT NULL,
	state TEXT NOT NULL,
	held INTEGER NOT NULL,
	waits INTEGER NOT NULL,
	attempt INTEGER NOT NULL,
	tries INTEGER NOT NULL,
	reclaims INTEGER NOT NULL,
	revision INTEGER NOT NULL,
	token TEXT,
	holder TEXT,
	due_at BIGINT,
	signal TEXT,
	parked_for TEXT,
	progress FLOAT,
	progress_note TEXT,
	started_at BIGINT,
	finished_at BIGINT,
	input_hash TEXT,
	output TEXT,
	error_kind TEXT,
	error_message TEXT,
	error_trace TEXT,
	reason TEXT,
	item TEXT,
	kept_hash TEXT,
	kept_output TEXT,
	written INTEGER NOT NULL,
	opened INTEGER NOT NULL,
	unfinished INTEGER NOT NULL,
	lost INTEGER NOT NULL,
	child_job TEXT,
	asleep INTEGER NOT NULL,
	PRIMARY KEY (id),
	CONSTRAINT task_key UNIQUE (job, "key"),
	CONSTRAINT task_order UNIQUE (job, position, idx),
	FOREIGN KEY(job) REFERENCES job (id) ON DELETE CASCADE
);
CREATE INDEX task_awaits ON task (signal, started_at, id) WHERE state = 'parked' AND signal IS NOT NULL;
CREATE UNIQUE INDEX task_node ON task (job, position) WHERE idx < 0;
CREATE INDEX task_parked ON task (due_at) WHERE state = 'parked' AND held = 0;
CREATE INDEX task_ready ON task (queue, resources, due_at, id) WHERE state = 'ready' AND held = 0;
CREATE INDEX task_running ON task (holder) WHERE state = 'running';
CREATE TABLE token (
	id TEXT NOT NULL,
	user TEXT NOT NULL,
	label TEXT NOT NULL,
	hash TEXT NOT NULL,
	scopes TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT,
	used_at BIGINT,
	revoked_at BIGINT,
	PRIMARY KEY (id),
	FOREIGN KEY(user) REFERENCES user (name) ON DELETE CASCADE,
	UNIQUE (hash)
);
CREATE INDEX token_user ON token (user);
CREATE TABLE asset (
	id TEXT NOT NULL,
	owner TEXT NOT NULL,
	campaign TEXT,
	name TEXT NOT NULL,
	sha256 TEXT NOT NULL,
	media_type TEXT NOT NULL,
	size BIGINT NOT NULL,
	width INTEGER NOT NULL,
	height INTEGER NOT NULL,
	thumbnail TEXT NOT NULL,
	thumbnail_size BIGINT NOT NULL,
	colours TEXT NOT NULL,
	tags TEXT NOT NULL,
	source TEXT,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	PRIMARY KEY (id),
	FOREIGN KEY(campaign) REFERENCES campaign (id) ON DELETE RESTRICT
);
CREATE INDEX asset_campaign ON asset (campaign, id);
CREATE INDEX asset_owner ON asset (owner, id);
CREATE UNIQUE INDEX asset_same ON asset (owner, sha256, campaign);
CREATE UNIQUE INDEX asset_same_in_none ON asset (owner, sha256) WHERE campaign IS NULL;
CREATE TABLE note (
	task INTEGER NOT NULL,
	revision INTEGER NOT NULL,
	name TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (task, revision, name),
	FOREIGN KEY(task) REFERENCES task (id) ON DELETE CASCADE
);
CREATE TABLE refusal (
	task INTEGER NOT NULL,
	awaited TEXT NOT NULL,
	wanted BIGINT NOT NULL,
	most BIGINT,
	PRIMARY KEY (task),
	FOREIGN KEY(task) REFERENCES task (id) ON DELETE CASCADE
);
CREATE TABLE revision (
	task INTEGER NOT NULL,
	revision INTEGER NOT NULL,
	state TEXT NOT NULL,
	output TEXT,
	PRIMARY KEY (task, revision),
	FOREIGN KEY(task) REFERENCES task (id) ON DELETE CASCADE
);
