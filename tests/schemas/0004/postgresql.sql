CREATE TABLE answer (
	"user" TEXT COLLATE "C" NOT NULL,
	route TEXT COLLATE "C" NOT NULL,
	key TEXT COLLATE "C" NOT NULL,
	request_hash TEXT COLLATE "C" NOT NULL,
	status INTEGER,
	headers TEXT COLLATE "C",
	body TEXT COLLATE "C",
	holder TEXT COLLATE "C" NOT NULL,
	until BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	PRIMARY KEY ("user", route, key)
);
CREATE INDEX answer_created ON answer (created_at);
CREATE TABLE audit (
	seq BIGSERIAL NOT NULL,
	at BIGINT NOT NULL,
	"user" TEXT COLLATE "C" NOT NULL,
	token TEXT COLLATE "C",
	action TEXT COLLATE "C" NOT NULL,
	target TEXT COLLATE "C" NOT NULL,
	data TEXT COLLATE "C" NOT NULL,
	PRIMARY KEY (seq)
);
CREATE INDEX audit_target ON audit (target, seq);
CREATE INDEX audit_user ON audit ("user", seq);
CREATE TABLE budget (
	scope TEXT COLLATE "C" NOT NULL,
	currency TEXT COLLATE "C" NOT NULL,
	cap BIGINT,
	spent BIGINT NOT NULL,
	reserved BIGINT NOT NULL,
	frozen TEXT COLLATE "C",
	PRIMARY KEY (scope)
);
CREATE TABLE client (
	id TEXT COLLATE "C" NOT NULL,
	owner TEXT COLLATE "C" NOT NULL,
	name TEXT COLLATE "C" NOT NULL,
	details TEXT COLLATE "C" NOT NULL,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	PRIMARY KEY (id)
);
CREATE INDEX client_owner ON client (owner, id);
CREATE TABLE delivery (
	seq BIGSERIAL NOT NULL,
	vendor TEXT COLLATE "C" NOT NULL,
	id TEXT COLLATE "C" NOT NULL,
	key TEXT COLLATE "C",
	handle TEXT COLLATE "C",
	body TEXT COLLATE "C" NOT NULL,
	at BIGINT NOT NULL,
	PRIMARY KEY (seq),
	CONSTRAINT delivery_id UNIQUE (vendor, id)
);
CREATE INDEX delivery_handle ON delivery (handle) WHERE handle IS NOT NULL;
CREATE INDEX delivery_key ON delivery (key) WHERE key IS NOT NULL;
CREATE TABLE holder (
	id TEXT COLLATE "C" NOT NULL,
	expires_at BIGINT NOT NULL,
	PRIMARY KEY (id)
);
CREATE TABLE job (
	id TEXT COLLATE "C" NOT NULL,
	pipeline TEXT COLLATE "C" NOT NULL,
	state TEXT COLLATE "C" NOT NULL,
	graph TEXT COLLATE "C" NOT NULL,
	input TEXT COLLATE "C" NOT NULL,
	labels TEXT COLLATE "C" NOT NULL,
	owner TEXT COLLATE "C" NOT NULL,
	executor TEXT COLLATE "C" NOT NULL,
	dedup TEXT COLLATE "C",
	parent_job TEXT COLLATE "C",
	parent_key TEXT COLLATE "C",
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	started_at BIGINT,
	finished_at BIGINT,
	deadline BIGINT,
	deadline_at BIGINT,
	error_kind TEXT COLLATE "C",
	error_message TEXT COLLATE "C",
	error_trace TEXT COLLATE "C",
	failed_task TEXT COLLATE "C",
	last_event BIGINT NOT NULL,
	live INTEGER NOT NULL,
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
	id TEXT COLLATE "C" NOT NULL,
	name TEXT COLLATE "C" NOT NULL,
	owner TEXT COLLATE "C" NOT NULL,
	workflow TEXT COLLATE "C" NOT NULL,
	pipeline TEXT COLLATE "C" NOT NULL,
	params TEXT COLLATE "C" NOT NULL,
	kind TEXT COLLATE "C" NOT NULL,
	expression TEXT COLLATE "C" NOT NULL,
	zone TEXT COLLATE "C" NOT NULL,
	missed TEXT COLLATE "C" NOT NULL,
	overlap TEXT COLLATE "C" NOT NULL,
	cap TEXT COLLATE "C",
	patience INTEGER NOT NULL,
	failures INTEGER NOT NULL,
	state TEXT COLLATE "C" NOT NULL,
	reason TEXT COLLATE "C",
	anchor_at BIGINT NOT NULL,
	next_at BIGINT,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	PRIMARY KEY (id)
);
CREATE INDEX schedule_due ON schedule (next_at) WHERE state = 'active' AND next_at IS NOT NULL;
CREATE INDEX schedule_owner ON schedule (owner, created_at, id);
CREATE TABLE "user" (
	name TEXT COLLATE "C" NOT NULL,
	admin INTEGER NOT NULL,
	created_at BIGINT NOT NULL,
	disabled_at BIGINT,
	PRIMARY KEY (name)
);
CREATE TABLE call (
	key TEXT COLLATE "C" NOT NULL,
	job TEXT COLLATE "C" NOT NULL,
	task TEXT COLLATE "C" NOT NULL,
	node TEXT COLLATE "C" NOT NULL,
	revision INTEGER NOT NULL,
	name TEXT COLLATE "C" NOT NULL,
	number INTEGER NOT NULL,
	state TEXT COLLATE "C" NOT NULL,
	adapter TEXT COLLATE "C" NOT NULL,
	vendor TEXT COLLATE "C" NOT NULL,
	policy TEXT COLLATE "C" NOT NULL,
	request TEXT COLLATE "C" NOT NULL,
	request_hash TEXT COLLATE "C" NOT NULL,
	estimate BIGINT NOT NULL,
	reserved BIGINT NOT NULL,
	spent BIGINT NOT NULL,
	risk BIGINT NOT NULL,
	currency TEXT COLLATE "C" NOT NULL,
	computed INTEGER NOT NULL,
	sends INTEGER NOT NULL,
	handle TEXT COLLATE "C",
	result TEXT COLLATE "C",
	reason TEXT COLLATE "C",
	absences INTEGER NOT NULL,
	answers INTEGER NOT NULL,
	cancel_asked INTEGER NOT NULL,
	intended_at BIGINT NOT NULL,
	sent_at BIGINT NOT NULL,
	absent_at BIGINT,
	accepted_at BIGINT,
	ended_at BIGINT,
	decided_by TEXT COLLATE "C",
	scopes TEXT COLLATE "C" NOT NULL,
	rung INTEGER NOT NULL,
	maker TEXT COLLATE "C" NOT NULL,
	PRIMARY KEY (key),
	CONSTRAINT call_path UNIQUE (job, task, revision, name, number),
	FOREIGN KEY(job) REFERENCES job (id) ON DELETE CASCADE
);
CREATE INDEX call_handle ON call (handle) WHERE handle IS NOT NULL;
CREATE INDEX call_intended ON call (intended_at, key);
CREATE INDEX call_live ON call (vendor) WHERE state IN ('intended', 'accepted');
CREATE INDEX call_open ON call (job) WHERE state IN ('intended', 'accepted', 'doubt');
CREATE TABLE campaign (
	id TEXT COLLATE "C" NOT NULL,
	owner TEXT COLLATE "C" NOT NULL,
	client TEXT COLLATE "C",
	name TEXT COLLATE "C" NOT NULL,
	details TEXT COLLATE "C" NOT NULL,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	PRIMARY KEY (id),
	FOREIGN KEY(client) REFERENCES client (id) ON DELETE RESTRICT
);
CREATE INDEX campaign_client ON campaign (client);
CREATE INDEX campaign_owner ON campaign (owner, id);
CREATE TABLE edge (
	job TEXT COLLATE "C" NOT NULL,
	upstream TEXT COLLATE "C" NOT NULL,
	downstream TEXT COLLATE "C" NOT NULL,
	optional INTEGER NOT NULL,
	PRIMARY KEY (job, upstream, downstream),
	FOREIGN KEY(job) REFERENCES job (id) ON DELETE CASCADE
);
CREATE TABLE event (
	job TEXT COLLATE "C" NOT NULL,
	seq BIGINT NOT NULL,
	at BIGINT NOT NULL,
	kind TEXT COLLATE "C" NOT NULL,
	task TEXT COLLATE "C",
	data TEXT COLLATE "C" NOT NULL,
	PRIMARY KEY (job, seq),
	FOREIGN KEY(job) REFERENCES job (id) ON DELETE CASCADE
);
CREATE INDEX event_turn ON event (job, at) WHERE kind IN ('task.kept', 'task.reclaimed', 'job.retried');
CREATE TABLE firing (
	schedule TEXT COLLATE "C" NOT NULL,
	due_at BIGINT NOT NULL,
	kind TEXT COLLATE "C" NOT NULL,
	state TEXT COLLATE "C" NOT NULL,
	job TEXT COLLATE "C",
	reason TEXT COLLATE "C",
	fired_at BIGINT NOT NULL,
	ended_at BIGINT,
	PRIMARY KEY (schedule, due_at),
	FOREIGN KEY(schedule) REFERENCES schedule (id) ON DELETE CASCADE
);
CREATE INDEX firing_job ON firing (job) WHERE job IS NOT NULL;
CREATE INDEX firing_open ON firing (schedule, due_at) WHERE state IN ('queued', 'started');
CREATE TABLE review (
	job TEXT COLLATE "C" NOT NULL,
	revision INTEGER NOT NULL,
	sha256 TEXT COLLATE "C" NOT NULL,
	verdict TEXT COLLATE "C" NOT NULL,
	reason TEXT COLLATE "C" NOT NULL,
	by TEXT COLLATE "C" NOT NULL,
	at BIGINT NOT NULL,
	PRIMARY KEY (job, revision),
	FOREIGN KEY(job) REFERENCES job (id) ON DELETE CASCADE
);
CREATE TABLE shared (
	input_hash TEXT COLLATE "C" NOT NULL,
	job TEXT COLLATE "C" NOT NULL,
	output TEXT COLLATE "C" NOT NULL,
	PRIMARY KEY (input_hash),
	FOREIGN KEY(job) REFERENCES job (id) ON DELETE CASCADE
);
CREATE INDEX shared_job ON shared (job);
CREATE TABLE task (
	id BIGSERIAL NOT NULL,
	job TEXT COLLATE "C" NOT NULL,
	key TEXT COLLATE "C" NOT NULL,
	node TEXT COLLATE "C" NOT NULL,
	position INTEGER NOT NULL,
	idx INTEGER NOT NULL,
	mapped INTEGER NOT NULL,
	need INTEGER,
	queue TEXT COLLATE "C" NOT NULL,
	resources TEXT COLLATE "C" NOT NULL,
	pinned INTEGER NOT NULL,
	state TEXT COLLATE "C" NOT NULL,
	held INTEGER NOT NULL,
	waits INTEGER NOT NULL,
	attempt INTEGER NOT NULL,
	tries INTEGER NOT NULL,
	reclaims INTEGER NOT NULL,
	revision INTEGER NOT NULL,
	token TEXT COLLATE "C",
	holder TEXT COLLATE "C",
	due_at BIGINT,
	signal TEXT COLLATE "C",
	parked_for TEXT COLLATE "C",
	progress FLOAT,
	progress_note TEXT COLLATE "C",
	started_at BIGINT,
	finished_at BIGINT,
	input_hash TEXT COLLATE "C",
	output TEXT COLLATE "C",
	error_kind TEXT COLLATE "C",
	error_message TEXT COLLATE "C",
	error_trace TEXT COLLATE "C",
	reason TEXT COLLATE "C",
	item TEXT COLLATE "C",
	kept_hash TEXT COLLATE "C",
	kept_output TEXT COLLATE "C",
	written INTEGER NOT NULL,
	opened INTEGER NOT NULL,
	unfinished INTEGER NOT NULL,
	lost INTEGER NOT NULL,
	child_job TEXT COLLATE "C",
	asleep INTEGER NOT NULL,
	PRIMARY KEY (id),
	CONSTRAINT task_key UNIQUE (job, key),
	CONSTRAINT task_order UNIQUE (job, position, idx),
	FOREIGN KEY(job) REFERENCES job (id) ON DELETE CASCADE
);
CREATE INDEX task_awaits ON task (signal, started_at, id) WHERE state = 'parked' AND signal IS NOT NULL;
CREATE UNIQUE INDEX task_node ON task (job, position) WHERE idx < 0;
CREATE INDEX task_parked ON task (due_at) WHERE state = 'parked' AND held = 0;
CREATE INDEX task_ready ON task (queue, resources, due_at, id) WHERE state = 'ready' AND held = 0;
CREATE INDEX task_running ON task (holder) WHERE state = 'running';
CREATE TABLE token (
	id TEXT COLLATE "C" NOT NULL,
	"user" TEXT COLLATE "C" NOT NULL,
	label TEXT COLLATE "C" NOT NULL,
	hash TEXT COLLATE "C" NOT NULL,
	scopes TEXT COLLATE "C" NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT,
	used_at BIGINT,
	revoked_at BIGINT,
	PRIMARY KEY (id),
	FOREIGN KEY("user") REFERENCES "user" (name) ON DELETE CASCADE,
	UNIQUE (hash)
);
CREATE INDEX token_user ON token ("user");
CREATE TABLE asset (
	id TEXT COLLATE "C" NOT NULL,
	owner TEXT COLLATE "C" NOT NULL,
	campaign TEXT COLLATE "C",
	name TEXT COLLATE "C" NOT NULL,
	sha256 TEXT COLLATE "C" NOT NULL,
	media_type TEXT COLLATE "C" NOT NULL,
	size BIGINT NOT NULL,
	width INTEGER NOT NULL,
	height INTEGER NOT NULL,
	thumbnail TEXT COLLATE "C" NOT NULL,
	thumbnail_size BIGINT NOT NULL,
	colours TEXT COLLATE "C" NOT NULL,
	tags TEXT COLLATE "C" NOT NULL,
	source TEXT COLLATE "C",
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
	task BIGINT NOT NULL,
	revision INTEGER NOT NULL,
	name TEXT COLLATE "C" NOT NULL,
	value TEXT COLLATE "C" NOT NULL,
	PRIMARY KEY (task, revision, name),
	FOREIGN KEY(task) REFERENCES task (id) ON DELETE CASCADE
);
CREATE TABLE refusal (
	task BIGINT NOT NULL,
	awaited TEXT COLLATE "C" NOT NULL,
	wanted BIGINT NOT NULL,
	most BIGINT,
	PRIMARY KEY (task),
	FOREIGN KEY(task) REFERENCES task (id) ON DELETE CASCADE
);
CREATE TABLE revision (
	task BIGINT NOT NULL,
	revision INTEGER NOT NULL,
	state TEXT COLLATE "C" NOT NULL,
	output TEXT COLLATE "C",
	PRIMARY KEY (task, revision),
	FOREIGN KEY(task) REFERENCES task (id) ON DELETE CASCADE
);
