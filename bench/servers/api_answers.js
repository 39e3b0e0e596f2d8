// The same tables and JSON as ours, for both JavaScript peers: what a careful programmer would write by hand, with prepared
// statements. `database` is bun:sqlite's or better-sqlite3's, whose prepare() and all() are alike.
const time = (milliseconds) => (milliseconds === null ? null : new Date(milliseconds).toISOString());

export function answers(database, instance) {
  const stream_columns = `s.id, s.user_id, s.title, s.description, s.status, s.scheduled_for, s.started_at, s.ended_at,
    s.viewers_count, s.created_at, s.updated_at, u.username, u.display_name, u.profile_picture_url`;
  const live = database.prepare(`SELECT ${stream_columns} FROM streams s JOIN users u ON u.id = s.user_id
    WHERE s.status = 'live' ORDER BY s.viewers_count DESC, s.id DESC LIMIT 20`);
  const person = database.prepare(`SELECT id, username, display_name, bio, profile_picture_url, country, language, skills, points,
    role, created_at, is_streamer,
    (SELECT count(*) FROM followers WHERE following_id = users.id) AS followers_count,
    (SELECT count(*) FROM followers WHERE follower_id = users.id) AS following_count
    FROM users WHERE lower(username) = lower(?)`);
  const live_of = database.prepare(`SELECT ${stream_columns} FROM streams s JOIN users u ON u.id = s.user_id
    WHERE s.user_id = ? AND s.status = 'live' ORDER BY s.id DESC LIMIT 1`);

  const stream = (row) => ({
    id: row.id,
    user: {
      id: row.user_id, username: row.username, display_name: row.display_name ?? row.username,
      profile_picture_url: row.profile_picture_url,
    },
    title: row.title, description: row.description ?? '', status: row.status, scheduled_for: time(row.scheduled_for),
    started_at: time(row.started_at), ended_at: time(row.ended_at), viewers_count: row.viewers_count, thumbnail_url: null,
    playback_url: `/live/${row.id}/master.m3u8`, ingest: null, created_at: time(row.created_at), updated_at: time(row.updated_at),
  });

  return {
    instance: () => instance,
    streams: () => ({ items: live.all().map(stream), next_cursor: null }),
    profile(username) {
      const row = person.get(username);
      if (!row) return null;
      const on_air = live_of.get(row.id);
      return {
        ...row, display_name: row.display_name ?? row.username, bio: row.bio ?? '', skills: JSON.parse(row.skills),
        created_at: time(row.created_at), is_streamer: row.is_streamer === 1, is_following: null,
        live_stream: on_air ? stream(on_air) : null,
      };
    },
  };
}
