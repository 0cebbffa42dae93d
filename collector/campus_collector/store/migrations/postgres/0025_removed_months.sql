-- Archived months whose results leave, or have left (`ended_at`), the database. Moments are microseconds since 1970, as `started_at` of results.
CREATE TABLE removed_month (
  month TEXT COLLATE "C" PRIMARY KEY,
  starts_at BIGINT NOT NULL,
  ends_at BIGINT NOT NULL,
  began_at BIGINT NOT NULL,
  ended_at BIGINT,
  results BIGINT NOT NULL DEFAULT 0
);
CREATE TRIGGER removed_month_is_not_removed BEFORE DELETE OR TRUNCATE ON removed_month
  EXECUTE FUNCTION refuse_change('what has left is not forgotten');
DROP TRIGGER result_is_not_changed ON result;
CREATE TRIGGER result_is_not_changed BEFORE UPDATE OR TRUNCATE ON result
  EXECUTE FUNCTION refuse_change('results are immutable');
CREATE FUNCTION refuse_removal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM removed_month m
      WHERE m.ended_at IS NULL AND OLD.started_at >= m.starts_at AND OLD.started_at < m.ends_at) THEN
    RAISE EXCEPTION 'results are immutable';
  END IF;
  RETURN OLD;
END
$$;
CREATE TRIGGER result_is_not_removed BEFORE DELETE ON result FOR EACH ROW EXECUTE FUNCTION refuse_removal();
